"use strict";
/* Why: a heat map over each picture, and words on a ground as strong as they weigh. */

const COLD = [255, 196, 0];
const HOT = [200, 16, 0];

/** Asks why and shows it over the page. asked: run, head and values of /explain. */
async function explain(asked, place) {
  const found = await work(place, async ({ signal, tell }) => {
    const values = typeof asked.values === "function" ? await asked.values(signal) : asked.values;
    return ask("POST", "/explain", { ...asked, values }, { signal, tell });
  });
  const waits = place.isConnected && !place.closest("[hidden]"); // who asked may have gone to another view
  if (found && waits) showExplanation(found);
}

function showExplanation(found) {
  const heading = make("h2", { id: newId("why") }, say("What the answer depends on"));
  const close = iconButton("cross", say("Close"), () => dialog.close());
  const streams = streamsNamed(page.run, Object.keys(found.streams));
  const parts = streams.map((stream) => streamShown(stream, streamWords(stream, streams), found.streams[stream.name]));
  const without = (found.without ?? []).map((one) => {
    const [left] = streamsNamed(page.run, [one.stream]);
    return withoutStream(streamWords(left, streams), one);
  });
  const dialog = make(
    "dialog",
    { class: "why", "aria-labelledby": heading.id },
    make("div", { class: "title" }, heading, close),
    make("p", { class: "answer" }, found.score ? `${found.said} (${found.score})` : found.said),
    parts,
    without,
  );
  if (dialog.querySelector("canvas")) dialog.append(strengthField(dialog));
  dialog.append(make("p", { class: "soft" }, say("The stronger the colour, the more the part matters for the answer.")));
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  document.body.append(dialog);
  dialog.showModal();
}

/** What is said without one of the streams. */
function withoutStream(words, { said, score }) {
  return make("p", { class: "soft" }, say("Without {stream}: {said}", { stream: words, said: score ? `${said} (${score})` : said }));
}

function streamShown({ kind }, called, { pictures = [], words = [], recordings = [] }) {
  const heard = kind === "audio"; // a spectrogram has no shape of its own
  return make(
    "section",
    {},
    make("h3", {}, called),
    pictures.length ? make("div", { class: heard ? "maps recording" : "maps" }, pictures.map((one) => heatMap(one, one.weights, called))) : null,
    recordings.map((one) => make("div", { class: "maps recording" }, heatMap(one, one.weights && [one.weights], called))),
    words.length ? make("p", { class: "weighed" }, words.map(weighedWord)) : null,
  );
}

function weighedWord({ text, weight }) {
  const word = make("span", weight == null ? {} : { title: shown(weight) }, text);
  if (weight != null) word.style.setProperty("--weight", String(Math.max(0, Math.min(1, weight))));
  return [word, " "];
}

/** weights: (rows, columns); a recording, drawn from left to right, has one row. */
function heatMap({ png }, weights, stream) {
  const picture = drawn(`data:image/png;base64,${png}`, stream);
  return make("figure", { class: "map" }, picture, weights ? heat(weights, stream) : null);
}

/** A canvas of a pixel for each weight (rows, columns); the browser smooths it over the picture. */
function heat(weights, stream) {
  const rows = weights.length;
  const columns = weights[0].length;
  const canvas = make("canvas", { width: columns, height: rows, role: "img", "aria-label": say("What matters: {stream}", { stream }) });
  const pen = canvas.getContext("2d");
  const pixels = pen.createImageData(columns, rows);
  weights.flat().forEach((weight, n) => {
    const w = Math.max(0, Math.min(1, weight));
    const colour = COLD.map((cold, channel) => cold + (HOT[channel] - cold) * w);
    pixels.data.set([...colour, 255 * w], 4 * n);
  });
  pen.putImageData(pixels, 0, 0);
  return canvas;
}

/** The stronger the map, the greyer the picture under it. */
function strengthField(dialog) {
  const show = () => dialog.style.setProperty("--strength", slider.value);
  const slider = make("input", { type: "range", min: 0, max: 1, step: 0.05, value: 0.75, on: { input: show } });
  show();
  return field(say("Strength of the heat map"), slider);
}

/** A button that explains. asked: gives run, head and values, or a promise of them. */
function whyButton(asked, place, properties = {}) {
  return button(say("Why?"), () => explain(asked(), place), { class: "quiet", ...properties });
}
