"use strict";
/* The view that asks about a picture, one question after the other. */

class AskView {
  constructor(run) {
    this.run = run;
    this.heads = answeringHeads(run);
    this.turns = []; // {question, answer}, as the server keeps them
    this.place = workplace();
    this.log = make("ol", { class: "dialog", role: "log", "aria-label": say("Dialog") });
    this.inputsPlace = make("div", {});
    this.anew = button(say("Start anew"), () => this.startAnew(), { class: "quiet", hidden: true });
    this.element = make("div", { class: "two" }, this.given(), make("div", { class: "talk" }, this.log, this.place, this.form()));
    this.take(this.heads[0] ?? null);
  }

  given() {
    return make("div", { class: "stack" }, headChoice(this.heads, (head) => this.take(head)), this.inputsPlace);
  }

  form() {
    this.question = make("input", { type: "text", name: "question", autocomplete: "off", required: true, "aria-label": say("Question"), placeholder: say("Ask a question about the input") });
    const submitted = (event) => {
      event.preventDefault();
      this.askIt();
    };
    const bar = make("div", { class: "bar" }, this.question, make("button", { class: "main" }, say("Ask")));
    return make("form", { class: "stack", on: { submit: submitted } }, bar, make("div", { class: "actions" }, this.anew));
  }

  /** Takes a head: its streams are to be given, but for the question and what was said before. */
  take(head) {
    this.head = head;
    const { question, history, streams } = this.run.dialog;
    const read = streamsNamed(this.run, head?.streams ?? streams);
    const given = read.filter((stream) => stream.name !== question && stream.name !== history);
    this.inputs = new Inputs(given, () => this.startAnew());
    fill(this.inputsPlace, this.inputs.element);
    this.startAnew();
  }

  accept(files) {
    fill(this.place);
    attempt(this.place, () => this.inputs.accept(files));
  }

  /** Forgets what was asked: it was about something else. */
  startAnew() {
    this.turns = [];
    quit(this.place);
    fill(this.log);
    this.anew.hidden = true;
  }

  async askIt() {
    const question = this.question.value.trim();
    if (!question) return;
    const history = this.run.dialog.history ? this.turns : [];
    const asked = await work(this.place, async ({ signal, tell }) => {
      const values = await this.inputs.values({ required: this.inputs.fields.length > 0 });
      const body = { run: this.run.name, head: this.head?.name ?? null, values, question, history, k: 5 };
      return { values, answer: await ask("POST", "/ask", body, { signal, tell }) };
    });
    if (!asked) return;
    this.turns = asked.answer.history;
    this.log.append(this.turn(question, asked, history));
    this.anew.hidden = false;
    this.question.value = "";
    this.question.focus();
    this.log.lastChild.scrollIntoView({ block: "nearest" });
  }

  turn(question, { values, answer }, history) {
    const place = workplace();
    const why = () => ({ run: this.run.name, head: this.head?.name ?? null, values: this.explained(values, question, history) });
    const explains = canExplain(this.run, this.head) ? make("div", { class: "actions" }, whyButton(why, place)) : null;
    return make("li", {}, make("p", { class: "question" }, question), make("div", { class: "reply" }, answersShown(answer.answers, this.head ? percent : round), explains, place));
  }

  explained(values, question, history) {
    const names = this.run.dialog;
    const asked = { ...values, [names.question]: question };
    if (history.length) asked[names.history] = [history]; // a list is one value for each row
    return asked;
  }
}

/** The heads that answer a question: the run's own first; none where it ranks answers that it knows. */
function answeringHeads(run) {
  const { head: first, question } = run.dialog;
  const able = headsWith(run, ["classes", "tags", "number", "text"]).filter((head) => head.streams.includes(question));
  return first === null ? [] : able.sort((a, b) => (b.name === first) - (a.name === first));
}
