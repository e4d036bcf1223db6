"use strict";
/* What was found: a grid of cards, each with its preview, score, id, text and metadata. */

const FEW = 3; // metadata that a card shows; the rest is folded

/** actions: like(hit), add(hit, sign), why(hit, place), which is null where nothing can be explained. kind: of the stream. */
function hitCard(hit, kind, actions) {
  const label = hit.text || hit.id;
  const place = workplace();
  return make(
    "li",
    { class: "hit" },
    hit.preview ? make("div", { class: "preview" }, showPreview(hit.preview, kind, label)) : null,
    make("div", { class: "line" }, make("span", { class: "id", title: hit.id }, make("bdi", { dir: "ltr" }, hit.id)), scoreShown(hit.score)),
    hit.text ? make("p", { class: "text", title: hit.text }, hit.text) : null,
    metadataShown(hit),
    hitActions(hit, label, actions, place),
    place,
  );
}

function scoreShown(score) {
  const bar = make("span", { class: "bar", "aria-hidden": "true" });
  bar.style.setProperty("--part", String(Math.max(0, Math.min(1, score))));
  return make("span", { class: "score", title: say("Score (cosine)") }, bar, round(score));
}

function hitActions(hit, label, actions, place) {
  return make(
    "div",
    { class: "actions" },
    button(say("More like this"), () => actions.like(hit), { class: "quiet", "aria-label": say("More like this: {name}", { name: label }) }),
    iconButton("plus", say("Add as an example: {name}", { name: label }), () => actions.add(hit, 1)),
    iconButton("minus", say("Add as a counterexample: {name}", { name: label }), () => actions.add(hit, -1)),
    actions.why && hit.preview ? iconButton("why", say("Why was this found? {name}", { name: label }), () => actions.why(hit, place)) : null,
  );
}

function metadataShown(hit) {
  const all = Object.entries(hit.metadata).filter(([, value]) => value !== null);
  const rows = [...all.slice(0, FEW).map(metadataRow)];
  const rest = all.slice(FEW).map(metadataRow);
  if (hit.source) rest.push(metadataRow([say("Source"), hit.source]));
  const list = (some) => (some.length ? make("dl", {}, some) : null);
  return [list(rows), rest.length ? make("details", {}, make("summary", {}, say("More")), list(rest)) : null];
}

function metadataRow([name, value]) {
  return make("div", {}, make("dt", {}, name), make("dd", {}, cellWords(value)));
}

/** A cell of the metadata: a number without marks of thousands, which would spoil years. */
function cellWords(value) {
  if (typeof value === "boolean") return say(value ? "yes" : "no");
  return typeof value === "number" ? String(Number(value.toPrecision(7))) : value;
}
