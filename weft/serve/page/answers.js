"use strict";
/* Answers of a head: the best one, and how probable the others are. */

/** answers: {said, probability} each, the best first. written: how a probability is said; a run that ranks has cosines. */
function answersShown(answers, written = percent) {
  if (answers.length === 1 && answers[0].probability == null) return make("p", { class: "said" }, answers[0].said);
  return make("ol", { class: "answers" }, answers.map((answer) => answerRow(answer, written)));
}

function answerRow({ said, probability }, written) {
  if (probability == null) return make("li", {}, make("span", { class: "said" }, said));
  const bar = make("span", { class: "bar", "aria-hidden": "true" });
  bar.style.setProperty("--part", String(Math.max(0, Math.min(1, probability))));
  return make("li", {}, make("span", { class: "said" }, said), bar, make("span", { class: "percent" }, written(probability)));
}

function percent(probability) {
  const shownPercent = 100 * probability;
  return `${shownPercent < 0.1 ? "< 0.1" : shownPercent.toFixed(shownPercent < 10 ? 1 : 0)} %`;
}

/** The heads of a run with one of these outputs. */
function headsWith(run, outputs) {
  return run.heads.filter((head) => outputs.includes(head.output));
}

/** Whether the server can say why the head says something. */
function canExplain(run, head) {
  return run.can.includes("explain") && (head === null || head.explains !== false);
}

/** A choice of the head, where there are several. changed: is called with the head. */
function headChoice(heads, changed) {
  if (heads.length < 2) return null;
  const chosen = (name) => changed(heads.find((head) => head.name === name));
  return field(say("Head"), select(heads.map((head) => [head.name, head.name]), heads[0].name, chosen));
}
