"use strict";
/* What is searched for: words, and examples and counterexamples, which are words, files, or items of the index. */

class Query {
  /** run: what is asked. changed: is called when an example comes, goes or turns. */
  constructor(run, changed) {
    this.run = run;
    this.changed = changed;
    this.parts = [];
    this.streams = streamsNamed(run, run.embeds);
    this.texts = this.streams.filter((stream) => stream.kind === "text");
    this.textStream = this.texts[0]?.name;
    this.list = make("ul", { class: "chips", "aria-label": say("Examples") });
    this.element = this.list;
    this.draw();
  }

  addWords(text, sign) {
    this.add({ sign, kind: "text", stream: this.textStream, text });
  }

  /** Throws where the run cannot be searched with such a file; those before it are taken. */
  addFiles(files) {
    for (const file of files) {
      const kind = kindOf(file);
      const fitting = this.streams.filter((stream) => stream.kind === kind || (kind === "file" && stream.kind !== "text"));
      if (!fitting.length) throw new Refused(say("This run cannot search with this file: {name}", { name: file.name || kind }));
      this.add({ sign: 1, kind: fitting[0].kind, stream: fitting[0].name, file });
    }
  }

  addItem(hit, sign) {
    this.parts = this.parts.filter((part) => part.id !== hit.id);
    this.add({ sign, kind: "item", id: hit.id, preview: hit.preview });
  }

  add(part) {
    this.put([...this.parts, part]);
  }

  /** Replaces all examples. */
  put(parts, { quiet = false } = {}) {
    this.parts = parts;
    this.draw();
    if (!quiet) this.changed();
  }

  draw() {
    fill(this.list, this.parts.map((part) => this.chip(part)));
    this.list.hidden = !this.parts.length;
  }

  chip(part) {
    const name = part.text ?? part.id ?? (part.file.name || String(kindWords(part.kind)));
    const turned = say(part.sign > 0 ? "Example: {name}. Make it a counterexample" : "Counterexample: {name}. Make it an example", { name });
    const turn = iconButton(part.sign > 0 ? "plus" : "minus", turned, () => this.turn(part), { class: "icon sign" });
    const remove = iconButton("cross", say("Remove: {name}", { name }), () => this.remove(part));
    const small = this.thumbnail(part, name);
    return make("li", { class: part.sign > 0 ? "chip plus" : "chip minus" }, turn, small, make("span", { class: "name", title: name }, name), this.streamChoice(part), remove);
  }

  thumbnail(part, name) {
    if (part.kind === "item" && part.preview) return make("img", { src: part.preview, alt: "", on: { error: (event) => event.target.remove() } });
    if (!part.file || part.kind === "file") return null;
    const small = showMedia(part.file, part.kind, part.kind === "image" ? "" : name);
    if (part.kind === "video") small.controls = false; // they would cover a picture so small
    return small;
  }

  streamChoice(part) {
    const fitting = this.streams.filter((stream) => stream.kind === part.kind);
    if (fitting.length < 2) return null;
    const chosen = (name) => this.replace(part, { ...part, stream: name });
    return select(fitting.map((stream) => [stream.name, stream.name]), part.stream, chosen, { "aria-label": say("Stream") });
  }

  replace(old, part) {
    const place = this.parts.indexOf(old);
    this.put(this.parts.with(place, part));
    return place;
  }

  turn(part) {
    const place = this.replace(part, { ...part, sign: -part.sign });
    this.list.children[place].querySelector("button").focus();
  }

  /** The focus goes to the next example, so that a person on the keyboard keeps the place. */
  remove(part) {
    const place = this.parts.indexOf(part);
    this.put(this.parts.filter((one) => one !== part));
    const next = this.list.children[Math.min(place, this.parts.length - 1)];
    (next?.querySelector("button:last-child") ?? document.querySelector("#words"))?.focus();
  }

  /** query and like of /search. words: of the field, which are an example too. */
  async asked(words) {
    const texts = words ? [{ stream: this.textStream, value: words, weight: 1 }] : [];
    const items = this.parts.filter((part) => part.kind === "item");
    const others = this.parts.filter((part) => part.kind !== "item");
    const given = others.map(async (part) => ({ stream: part.stream, value: part.text ?? (await asValue(part.file)), weight: part.sign }));
    return { query: [...texts, ...(await Promise.all(given))], like: items.map((part) => ({ id: part.id, weight: part.sign })) };
  }

  /** What a hit can be compared with, {stream, value()}: all words, else the only file; null where there is neither. */
  compared(typed) {
    const wanted = this.parts.filter((part) => part.sign > 0);
    const words = [typed, ...wanted.map((part) => part.text)].filter(Boolean).join(" ");
    if (words) return { stream: this.textStream, value: async () => words };
    const [only, ...others] = wanted.filter((part) => part.file);
    return only && !others.length ? { stream: only.stream, value: () => asValue(only.file) } : null;
  }
}

/** An object of JSON, empty where the text is none. */
function asObject(text) {
  try {
    return Object(JSON.parse(text ?? "{}"));
  } catch {
    return {};
  }
}

/** The address, if it is a preview of this server: an address bar can say anything. */
function ownAddress(address) {
  return typeof address === "string" && address.startsWith("/previews/") ? address : null;
}
