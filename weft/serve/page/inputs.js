"use strict";
/* The inputs of a head: a field of words, or a file that is chosen, dropped or pasted, for each stream. */

class Inputs {
  /** streams: as `streamsNamed` gives them. changed: is called when a value becomes another. */
  constructor(streams, changed = () => {}) {
    this.changed = changed;
    const any = streams.length > 1 && streams.every((stream) => stream.optional);
    this.fields = streams.map((stream) => {
      const words = streamWords(stream, streams);
      return this.fieldOf(stream, stream.optional && !any ? say("{stream} (may be left out)", { stream: words }) : words);
    });
    const enough = any ? make("small", {}, say("One of these inputs is enough.")) : null;
    this.element = make("div", { class: "inputs" }, this.fields.map((one) => one.element), enough);
  }

  fieldOf(stream, words) {
    if (stream.columns) return this.tableField(stream, words);
    if (stream.kind in CHOICES || stream.kind === "array") return this.fileField(stream, words);
    return this.wordsField(stream, words);
  }

  /** A control for each column of a row of a table. */
  tableField(stream, words) {
    const cells = stream.columns.map((name) => [name, make("input", { type: "text", name, autocomplete: "off", on: { input: () => this.changed() } })]);
    const full = () => cells.filter(([, input]) => input.value.trim());
    const rows = cells.map(([name, input]) => field(name, input));
    return {
      stream,
      element: make("div", { class: "field", role: "group", "aria-label": words }, make("span", {}, words), make("div", { class: "numbers" }, rows)),
      empty: () => !full().length,
      value: async () => Object.fromEntries(full().map(([name, input]) => [name, input.value.trim()])),
    };
  }

  wordsField(stream, words) {
    const area = make("textarea", { rows: 2, name: stream.name, on: { input: () => this.changed() } });
    return {
      stream,
      element: field(words, area),
      empty: () => !area.value.trim(),
      value: async () => (stream.kind === "text" ? area.value.trim() : asWritten(area.value.trim())),
    };
  }

  fileField(stream, words) {
    const made = { stream, file: null, empty: () => made.file === null, value: () => asValue(made.file) };
    const chosen = make("input", {
      type: "file",
      name: stream.name,
      accept: stream.kind in CHOICES ? `${stream.kind}/*` : null,
      on: { change: (event) => event.target.files.length && made.put(event.target.files[0]) },
    });
    const said = make("span", {}, CHOICES[stream.kind] ?? say("Choose a file"));
    const drop = make("label", { class: "drop" }, chosen, said, make("small", {}, say("or drop or paste it here")));
    const record = stream.kind === "audio" ? recordButton((file) => made.put(file)) : null;
    const empty = make("div", { class: "empty" }, drop, record);
    const given = make("div", { class: "given", hidden: true });
    made.put = (file) => {
      const focused = empty.contains(document.activeElement);
      made.file = file;
      chosen.value = "";
      given.hidden = file === null;
      empty.hidden = file !== null;
      fill(given, file && this.given(file, stream, () => made.put(null)));
      if (file === null) chosen.focus();
      else if (focused) given.querySelector(".named button").focus();
      this.changed();
    };
    made.element = make("div", { class: "field", role: "group", "aria-label": words }, make("span", {}, words), empty, given);
    return made;
  }

  given(file, stream, remove) {
    const name = file.name || kindWords(stream.kind);
    const row = make("div", { class: "named" }, make("span", {}, name), iconButton("cross", say("Remove: {name}", { name }), remove));
    return [showMedia(file, stream.kind, name), row];
  }

  /** Takes each file into the first empty field of its kind, else the first of its kind. Says which found none. */
  accept(files) {
    for (const file of files) {
      const kind = kindOf(file);
      const fitting = this.fields.filter((one) => one.put && (one.stream.kind === kind || kind === "file"));
      const place = fitting.find((one) => one.empty()) ?? fitting[0];
      if (!place) throw new Refused(say("No input field can read this file: {name}", { name: file.name || kind }));
      place.put(file);
    }
  }

  /** stream -> value, of what is given. Throws where nothing is. */
  async values({ required = true } = {}) {
    const full = this.fields.filter((one) => !one.empty());
    if (required && !full.length) throw new Refused(say("Give an input first."));
    return Object.fromEntries(await Promise.all(full.map(async (one) => [one.stream.name, await one.value()])));
  }
}

/** The columns of a row, or the numbers of an array, where that is what the text says; else the text. */
function asWritten(text) {
  try {
    const found = JSON.parse(text);
    return typeof found === "object" && found !== null ? found : text;
  } catch {
    return text;
  }
}

/** Name of a stream of a dialog: what it is called. */
const TURN = { question: say("Question"), answer: say("Answer"), history: say("Earlier turns") };

/** What a stream is called. Streams of a dialog have words of their own. Any other is called by its kind if no other of
    `streams` is of that kind, else by its name. */
function streamWords(stream, streams) {
  const alone = streams.filter((other) => other.kind === stream.kind).length === 1;
  return TURN[stream.name] ?? ((alone && KINDS[stream.kind]) || stream.name);
}

/** The streams of the run that have these names, in the order of the run; `optional` ones may be left out. */
function streamsNamed(run, names) {
  const named = run.streams.filter((stream) => names.includes(stream.name));
  return named.map((stream) => ({ ...stream, optional: run.optional.includes(stream.name) }));
}
