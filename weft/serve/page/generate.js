"use strict";
/* The view that draws pictures or sounds from what is given. */

class GenerateView {
  constructor(run) {
    this.run = run;
    this.heads = headsWith(run, ["picture", "sound"]);
    this.inputsPlace = make("div", {});
    this.place = workplace();
    this.result = make("ul", { class: "drawn", "aria-label": say("Generated"), "aria-live": "polite" });
    this.element = make("div", { class: "two" }, this.form(), make("div", { class: "stack" }, this.place, this.result));
    this.take(this.heads[0]);
  }

  form() {
    this.numbers = {
      n: numberInput({ min: 1, max: 16, step: 1, value: 4, required: true }),
      seed: numberInput({ min: 0, step: 1, placeholder: say("any") }),
      guidance: numberInput({ min: 0, step: 0.5, placeholder: say("the run's own") }),
      steps: numberInput({ min: 1, step: 1, placeholder: say("the run's own") }),
    };
    const words = { n: say("How many"), seed: say("Seed"), guidance: say("Guidance"), steps: say("Steps") };
    this.fields = Object.fromEntries(Object.entries(this.numbers).map(([name, control]) => [name, field(words[name], control)]));
    const submitted = (event) => {
      event.preventDefault();
      this.generate();
    };
    const choice = headChoice(this.heads, (head) => this.take(head));
    return make("form", { class: "stack", on: { submit: submitted } }, choice, this.inputsPlace, make("div", { class: "numbers" }, Object.values(this.fields)), make("button", { class: "main" }, say("Generate")));
  }

  take(head) {
    this.head = head;
    for (const [name, label] of Object.entries(this.fields)) label.hidden = !head.settings.includes(name === "n" ? "seed" : name);
    this.inputs = new Inputs(streamsNamed(this.run, head.streams));
    fill(this.inputsPlace, this.inputs.element);
    quit(this.place);
    fill(this.result);
  }

  accept(files) {
    attempt(this.place, () => this.inputs.accept(files));
  }

  async generate() {
    const answer = await work(this.place, async ({ signal, tell }) => {
      const values = await this.inputs.values({ required: this.inputs.fields.length > 0 });
      const given = Object.entries(this.numbers).map(([name, input]) => [name, this.fields[name].hidden ? null : numberOf(input)]);
      const numbers = Object.fromEntries(given.filter(([, value]) => value !== null));
      return ask("POST", "/generate", { run: this.run.name, head: this.head.name, values, ...numbers }, { signal, tell });
    });
    if (answer) fill(this.result, answer.files.map((file, n) => this.drawn(file, answer.media_type, n + 1)));
  }

  drawn(base64, type, number) {
    const [kind, suffix] = type.split(";")[0].split("/");
    const blob = fromBase64(base64, type);
    const name = `${this.head.name}-${number}.${suffix.replace("x-", "")}`;
    const save = make("a", { href: URL.createObjectURL(blob), download: name, class: "button quiet" }, icon("save"), say("Save: {name}", { name }));
    return make("li", {}, showMedia(blob, kind, name), save);
  }
}
