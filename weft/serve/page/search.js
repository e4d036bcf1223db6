"use strict";
/* The view that searches the index of a run. The address holds what was searched for, so that the back button works. */

const COUNTS = ["10", "20", "50", "100"];
const EVERYTHING = -1; // a cut-off below every cosine: the page hides, and knows how many

class SearchView {
  constructor(run) {
    this.run = run;
    this.index = run.index;
    this.kind = run.streams.find((stream) => stream.name === run.index.stream)?.kind ?? "";
    this.files = new Map(); // number in the address -> part with a file, as long as the page is open
    this.found = null;
    this.k = "20";
    this.query = new Query(run, () => this.go());
    this.filters = new Filters(run.index.columns, () => this.refresh());
    this.cutoff = new Cutoff(() => this.moved());
    this.place = workplace();
    this.summary = make("p", { class: "summary", role: "status" });
    this.nothing = make("div", { "aria-live": "polite" });
    this.list = make("ul", { class: "hits", "aria-label": say("Found") });
    this.element = make("div", { class: "search" }, this.form(), make("div", { class: "below" }, this.filters.element, this.results()));
    this.welcome();
  }

  form() {
    this.words = make("input", { type: "search", id: "words", name: "words", autocomplete: "off", "aria-label": say("Words"), placeholder: say("Describe what you look for") });
    const chosen = make("input", { type: "file", multiple: true, accept: this.accepted(), on: { change: (event) => this.choose(event.target) } });
    const file = make("label", { class: "icon file", title: say("Search with a file") }, chosen, icon("file"), make("span", { class: "unseen-words" }, say("Search with a file")));
    const example = (drawing, words, sign) => iconButton(drawing, words, () => this.addWords(sign), { class: "icon example" });
    const hears = this.query.streams.some((stream) => stream.kind === "audio");
    const bar = make(
      "div",
      { class: "bar" },
      this.words,
      this.query.texts.length ? example("plus", say("Add the words as an example"), 1) : null,
      this.query.texts.length ? example("minus", say("Add the words as a counterexample"), -1) : null,
      file,
      hears ? iconButton("microphone", say("Search with the microphone"), () => new Microphone((sound) => this.accept([sound]))) : null,
      make("button", { class: "main" }, say("Search")),
    );
    const submitted = (event) => {
      event.preventDefault();
      this.go();
    };
    return make("form", { role: "search", class: "query", on: { submit: submitted } }, bar, this.query.element, this.textChoice());
  }

  /** Files that the run can be searched with; all where its streams do not say. */
  accepted() {
    const kinds = this.query.streams.map((stream) => stream.kind).filter((kind) => kind !== "text");
    return kinds.every((kind) => MEDIA.includes(kind)) ? kinds.map((kind) => `${kind}/*`).join(",") : null;
  }

  textChoice() {
    const texts = this.query.texts;
    if (texts.length < 2) return null;
    const chosen = (name) => { this.query.textStream = name; };
    return field(say("The words are"), select(texts.map(({ name }) => [name, name]), texts[0].name, chosen), { class: "field inline" });
  }

  results() {
    this.count = select(COUNTS.map((count) => [count, count]), this.k, (count) => this.take(count));
    this.more = button(say("Show more"), () => this.showMore(), { class: "more", hidden: true });
    const tools = make("div", { class: "tools" }, this.summary, this.cutoff.element, field(say("Hits"), this.count, { class: "field inline" }));
    return make("div", { class: "results" }, tools, this.place, this.nothing, this.list, this.more);
  }

  /** Shows so many hits. */
  take(count) {
    this.k = count;
    this.count.value = count;
    return this.refresh();
  }

  /** Shows the next number of hits; the focus goes to the first new one. */
  async showMore() {
    const shownBefore = this.list.children.length;
    await this.take(COUNTS[COUNTS.indexOf(this.k) + 1]);
    const hit = this.list.children[shownBefore] ?? this.list.lastElementChild;
    hit?.querySelector("button").focus();
  }

  welcome() {
    fill(this.summary, say("{count} items can be searched.", { count: this.index.items }));
    const help = say("Type words, or drop, paste or choose a file. Several examples are searched together; a counterexample leads away from what it shows.");
    fill(this.nothing, make("p", { class: "soft" }, help));
  }

  choose(input) {
    const files = [...input.files];
    input.value = "";
    this.accept(files);
  }

  accept(files) {
    attempt(this.place, () => this.query.addFiles(files));
  }

  addWords(sign) {
    const text = this.words.value.trim();
    if (!text) return this.words.focus();
    this.words.value = "";
    return this.query.addWords(text, sign);
  }

  /** Searches for something new, whose cut-off is its own, and keeps it in the address. */
  go() {
    this.cutoff.put(null);
    writeAddress(this.address());
    return this.search();
  }

  /** Searches again for the same, with other filters. */
  async refresh() {
    if (!this.asksSomething()) return;
    writeAddress(this.address());
    await this.search();
  }

  asksSomething() {
    return Boolean(this.words.value.trim() || this.query.parts.length);
  }

  async search() {
    const turn = {};
    this.turn = turn;
    if (!this.asksSomething()) {
      quit(this.place);
      this.forget();
      return this.welcome();
    }
    const typed = this.words.value.trim();
    const answer = await work(this.place, async ({ signal, tell }) => {
      if (typed && !this.query.texts.length) throw new Refused(say("This run reads no words; search with a file."));
      const asked = await this.query.asked(typed);
      const k = Number(this.k) + asked.like.length;
      const body = { run: this.run.name, ...asked, k, where: this.filters.where(), cutoff: EVERYTHING };
      return ask("POST", "/search", body, { signal, tell });
    });
    if (answer === undefined) {
      // Where it failed or was cancelled, the hits shown are those of another search; where a new one took its place, it shows its own.
      if (this.turn === turn) this.forget();
      return undefined;
    }
    this.found = { ...answer, hits: this.others(answer.hits), compared: this.query.compared(typed) };
    this.cutoff.fit(this.found.hits.map((hit) => hit.score), this.found.calibrated);
    return this.draw();
  }

  forget() {
    this.found = null;
    for (const part of [this.list, this.nothing, this.summary]) fill(part);
    this.more.hidden = true;
    this.cutoff.fit([], null);
  }

  /** Hits without the items that are examples themselves. */
  others(hits) {
    const examples = new Set(this.query.parts.map((part) => part.id).filter(Boolean));
    return hits.filter((hit) => !examples.has(hit.id)).slice(0, Number(this.k));
  }

  moved() {
    writeAddress(this.address(), true);
    this.draw();
  }

  draw() {
    const { hits, seconds } = this.found;
    const over = this.cutoff.value === null ? hits : hits.filter((hit) => hit.score >= this.cutoff.value);
    const places = { count: over.length, hidden: hits.length - over.length, seconds: Number(seconds.toPrecision(2)) };
    fill(this.summary, say(places.hidden ? "{count} found in {seconds} s; {hidden} below the cut-off" : "{count} found in {seconds} s", places));
    fill(this.nothing, over.length ? null : this.nothingFound(hits));
    const actions = { like: (hit) => this.like(hit), add: (hit, sign) => this.query.addItem(hit, sign), why: this.why() };
    fill(this.list, over.map((hit) => hitCard(hit, this.kind, actions)));
    this.more.hidden = over.length < Number(this.k) || this.k === COUNTS.at(-1);
  }

  nothingFound(hits) {
    if (!hits.length) return notice(make("p", {}, say("Nothing found: no item passes the filters.")));
    const places = { count: this.index.items, score: round(hits[0].score), cutoff: round(this.cutoff.value) };
    const sentence = Object.keys(this.filters.where()).length
      ? say("Nothing found. The best item that passes the filters scores {score}, below the cut-off of {cutoff}.", places)
      : say("Nothing found. The best of {count} items scores {score}, below the cut-off of {cutoff}.", places);
    const showAll = button(say("Show the best anyway"), () => this.cutoff.move(Number(this.cutoff.slider.min), () => this.moved()));
    return notice(make("p", {}, sentence), showAll);
  }

  like(hit) {
    this.words.value = "";
    this.query.put([{ sign: 1, kind: "item", id: hit.id, preview: hit.preview }]);
    scrollTo({ top: 0 });
  }

  /** What explains a hit by its preview and what was asked for, or null where the two cannot be compared. */
  why() {
    const { compared } = this.found;
    const { stream } = this.index;
    const seen = this.kind === "image" || this.kind === "audio"; // of a video the preview is but a frame
    if (!compared || compared.stream === stream || !seen) return null;
    return (hit, place) => {
      const values = async (signal) => ({ [compared.stream]: await compared.value(), [stream]: await asValue(await previewOf(hit.preview, signal)) });
      return explain({ run: this.run.name, values, similarity: true }, place);
    };
  }

  /** The parameters of the address for what is asked. */
  address() {
    const found = { view: "search", run: this.run.name, q: this.words.value.trim(), k: this.k };
    const where = this.filters.where();
    if (Object.keys(where).length) found.where = JSON.stringify(where);
    if (this.cutoff.chosen !== null) found.cutoff = round(this.cutoff.chosen);
    if (this.query.parts.length) found.examples = JSON.stringify(this.query.parts.map((part) => this.written(part)));
    return found;
  }

  written(part) {
    if (!part.file) return part;
    const known = [...this.files].find(([, one]) => one.file === part.file)?.[0];
    const number = known ?? this.files.size + 1;
    this.files.set(number, part);
    return { sign: part.sign, stream: part.stream, file: number };
  }

  /** Takes what an address says, and searches. */
  restore(parameters) {
    this.words.value = parameters.get("q") ?? "";
    this.k = COUNTS.includes(parameters.get("k")) ? parameters.get("k") : "20";
    this.count.value = this.k;
    this.filters.put(asObject(parameters.get("where")));
    const cutoff = parseFloat(parameters.get("cutoff"));
    this.cutoff.put(Number.isNaN(cutoff) ? null : cutoff);
    const examples = asObject(parameters.get("examples"));
    this.query.put((Array.isArray(examples) ? examples : []).map((one) => this.read(one)).filter(Boolean), { quiet: true });
    this.search();
  }

  /** The example that an address names; null where it names none. */
  read(named) {
    const one = Object(named);
    const sign = one.sign < 0 ? -1 : 1;
    if (one.file) return this.files.has(one.file) ? { ...this.files.get(one.file), sign, stream: one.stream } : null;
    if (one.kind === "text") return { sign, kind: "text", stream: one.stream, text: String(one.text) };
    if (one.kind !== "item") return null;
    return { sign, kind: "item", id: String(one.id), preview: ownAddress(one.preview) };
  }
}
