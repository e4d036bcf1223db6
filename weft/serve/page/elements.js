"use strict";
/* Elements. What is shown is always a text node or an attribute, never markup, so nothing of the data can run. */

const SVG = "http://www.w3.org/2000/svg";
let lastId = 0;

/** An element. properties: attributes; `on` has its listeners, true is an attribute without a value, false none. */
function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "on") for (const [event, heard] of Object.entries(value)) element.addEventListener(event, heard);
    else setAttribute(element, name, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child != null).map(asNode));
  return element;
}

function setAttribute(element, name, value) {
  if (value === false || value == null) return element.removeAttribute(name);
  if (value instanceof Saying) element.saidAttributes = { ...element.saidAttributes, [name]: value };
  return element.setAttribute(name, value === true ? "" : String(value));
}

function asNode(child) {
  if (child instanceof Node) return child;
  const text = document.createTextNode(child instanceof Saying ? String(child) : shown(child));
  if (child instanceof Saying) text.said = child;
  return text;
}

/** Puts these in the place of what is in the element, whose sounds, videos and files to save are given back. */
function fill(element, ...children) {
  element.querySelectorAll("audio, video, a[download]").forEach(giveBack);
  element.replaceChildren(...children.flat(Infinity).filter((child) => child != null).map(asNode));
  return element;
}

/** Frees what the address of an element keeps in memory; a player that still reads it would complain. */
function giveBack(element) {
  const url = element.src ?? element.href;
  element.removeAttribute("src");
  element.load?.();
  URL.revokeObjectURL(url);
}

function newId(name) {
  lastId += 1;
  return `${name}-${lastId}`;
}

/** A button with words. */
function button(words, pressed, properties = {}) {
  return make("button", { type: "button", ...properties, on: { click: pressed } }, words);
}

/** A button with a drawing instead of words, which are its name. */
function iconButton(drawing, words, pressed, properties = {}) {
  return make(
    "button",
    { type: "button", class: "icon", "aria-label": words, title: words, ...properties, on: { click: pressed } },
    icon(drawing),
  );
}

const DRAWINGS = {
  plus: "M8 3v10M3 8h10",
  minus: "M3 8h10",
  cross: "M4 4l8 8M12 4l-8 8",
  why: "M6 6a2 2 0 1 1 2.6 1.9c-.4.2-.6.5-.6 1.1v.6M8 12v.6",
  file: "M11.5 7.5l-4 4a2.5 2.5 0 0 1-3.5-3.5l4.6-4.6a1.7 1.7 0 0 1 2.4 2.4l-4.5 4.5",
  light: "M8 5.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6zM8 1.5v1.6M8 12.9v1.6M1.5 8h1.6M12.9 8h1.6M3.4 3.4l1.1 1.1M11.5 11.5l1.1 1.1M3.4 12.6l1.1-1.1M11.5 4.5l1.1-1.1",
  dark: "M12.8 9.6A5.2 5.2 0 0 1 6.4 3.2a5.2 5.2 0 1 0 6.4 6.4z",
  system: "M2.5 3.5h11v7h-11zM6 13h4M8 10.5V13",
  save: "M8 2.5v7M5 7l3 3 3-3M3 13h10",
  microphone: "M8 2a1.8 1.8 0 0 0-1.8 1.8v3.4a1.8 1.8 0 0 0 3.6 0V3.8A1.8 1.8 0 0 0 8 2zM4 7.4a4 4 0 0 0 8 0M8 11.4V14",
};

function icon(drawing) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", DRAWINGS[drawing]);
  svg.append(path);
  return svg;
}

/** A label above a control, which it names. */
function field(words, control, properties = {}) {
  return make("label", { class: "field", ...properties }, make("span", {}, words), control);
}

/** A choice of some values. options: [value, words] each. */
function select(options, chosen, changed, properties = {}) {
  const made = options.map(([value, words]) => make("option", { value, selected: value === chosen }, words));
  return make("select", { ...properties, on: { change: (event) => changed(event.target.value) } }, made);
}

/** A control for a number that may be left empty, which is null. */
function numberInput(properties) {
  return make("input", { type: "number", inputmode: "decimal", autocomplete: "off", ...properties });
}

function numberOf(input) {
  return input.value.trim() === "" || Number.isNaN(input.valueAsNumber) ? null : input.valueAsNumber;
}
