"use strict";
/* The views that read what is given: a caption, a transcript, or what a head predicts. */

const READINGS = {
  caption: { path: "/caption", outputs: ["text"], words: say("Caption") },
  transcribe: { path: "/transcribe", outputs: ["transcript"], words: say("Transcribe") },
  predict: { path: "/predict", outputs: ["classes", "tags", "number", "cells", "other"], words: say("Predict") },
};

class ReadView {
  /** name: of READINGS. */
  constructor(run, name) {
    this.run = run;
    this.reading = READINGS[name];
    this.heads = headsWith(run, this.reading.outputs);
    this.inputsPlace = make("div", {});
    this.place = workplace();
    this.result = make("div", { class: "result", "aria-live": "polite" });
    const submitted = (event) => {
      event.preventDefault();
      this.read();
    };
    const choice = headChoice(this.heads, (head) => this.take(head));
    const form = make("form", { class: "stack", on: { submit: submitted } }, choice, this.inputsPlace, make("button", { class: "main" }, this.reading.words));
    this.element = make("div", { class: "two" }, form, make("div", { class: "stack" }, this.place, this.result));
    this.take(this.heads[0]);
  }

  take(head) {
    this.head = head;
    this.inputs = new Inputs(streamsNamed(this.run, head.streams), () => this.forget());
    fill(this.inputsPlace, this.inputs.element);
    this.forget();
  }

  forget() {
    quit(this.place);
    fill(this.result);
  }

  accept(files) {
    attempt(this.place, () => this.inputs.accept(files));
  }

  async read() {
    fill(this.result);
    const read = await work(this.place, async ({ signal, tell }) => {
      const values = await this.inputs.values();
      const body = { run: this.run.name, head: this.head.name, values };
      return { values, answer: await ask("POST", this.reading.path, body, { signal, tell }) };
    });
    if (read) fill(this.result, this.said(read.answer), this.why(read.values));
  }

  said({ texts, rows, missing = [] }) {
    const said = texts ? texts.map((text) => make("p", { class: "said" }, text || say("(no words)"))) : rows.map(({ answers, said: one }) => answersShown(answers.length ? answers : [{ said: one }]));
    const streams = streamsNamed(this.run, this.head.streams);
    const lacking = streams.filter(({ name }) => missing.includes(name)).map((stream) => streamWords(stream, streams));
    const listed = { toString: () => lacking.join(", ") }; // in the language of the moment
    return [...said, lacking.length ? make("p", { class: "soft" }, say("Answered without: {streams}", { streams: listed })) : null];
  }

  why(values) {
    if (!canExplain(this.run, this.head)) return null;
    const place = workplace();
    return make("div", {}, make("div", { class: "actions" }, whyButton(() => ({ run: this.run.name, head: this.head.name, values }), place)), place);
  }
}
