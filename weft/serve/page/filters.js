"use strict";
/* Filters by the metadata of the index: values with their counts, and ranges of numbers and dates. */

const OPEN_VALUES = 8; // a column of more is folded
const DATE = /^\d{4}-\d\d-\d\d$/; // such texts are in order of time
const WIDE = "(min-width: 60rem)";

class Filters {
  /** columns: of the index. changed: is called when a filter becomes another. */
  constructor(columns, changed) {
    this.changed = changed;
    this.columns = columns.map((column) => (column.type === "number" || ofDates(column) ? this.range(column) : this.values(column)));
    this.clear = button(say("Clear the filters"), () => this.put({}) ?? this.changed(), { class: "quiet", hidden: true });
    const content = [...this.columns.map((one) => one.element), this.clear];
    const wide = matchMedia(WIDE).matches;
    this.element = make("details", { class: "filters", open: wide, hidden: !columns.length }, make("summary", {}, say("Filters")), content);
  }

  values(column) {
    const boxes = column.values.map(({ value, count }) => {
      const box = make("input", { type: "checkbox", on: { change: () => this.hear() } });
      return { value, box, element: make("label", {}, box, make("span", {}, cellWords(value)), make("small", {}, count)) };
    });
    const fold = make("details", { open: boxes.length <= OPEN_VALUES }, make("summary", {}, column.name), boxes.map((one) => one.element), unlisted(column));
    return {
      name: column.name,
      element: make("div", { class: "column", role: "group", "aria-label": column.name }, fold),
      get: () => {
        const chosen = boxes.filter((one) => one.box.checked).map((one) => one.value);
        return chosen.length ? chosen : undefined;
      },
      put: (chosen) => boxes.forEach((one) => { one.box.checked = Array.isArray(chosen) && chosen.includes(one.value); }),
    };
  }

  range(column) {
    const dates = ofDates(column);
    const bound = (placeholder, words) => {
      const properties = { "aria-label": words, on: { change: () => this.hear() } };
      return dates ? make("input", { type: "date", ...properties }) : numberInput({ placeholder, step: "any", ...properties });
    };
    const read = (input) => (dates ? input.value || null : numberOf(input));
    const least = bound(column.min, say("{column}: at least", { column: column.name }));
    const most = bound(column.max, say("{column}: at most", { column: column.name }));
    const row = make("div", { class: "range" }, least, "–", most);
    return {
      name: column.name,
      element: make("div", { class: "column", role: "group", "aria-label": column.name }, make("span", { class: "heading" }, column.name), row),
      get: () => {
        const found = Object.entries({ min: read(least), max: read(most) }).filter(([, value]) => value !== null);
        return found.length ? Object.fromEntries(found) : undefined;
      },
      put: (chosen) => {
        least.value = chosen?.min ?? "";
        most.value = chosen?.max ?? "";
      },
    };
  }

  hear() {
    this.clear.hidden = !Object.keys(this.where()).length;
    this.changed();
  }

  /** where of /search. */
  where() {
    return Object.fromEntries(this.columns.map((one) => [one.name, one.get()]).filter(([, value]) => value !== undefined));
  }

  put(where) {
    this.columns.forEach((one) => one.put(where[one.name]));
    this.clear.hidden = !Object.keys(this.where()).length;
  }
}

/** A sentence if the index lists only the most frequent values of the column. */
function unlisted(column) {
  const places = { shown: column.values.length, count: column.distinct };
  return column.distinct > column.values.length ? make("small", {}, say("The {shown} most frequent of {count} values.", places)) : [];
}

/** Whether a column holds many dates: of 50 and more the index lists only the most frequent. */
function ofDates(column) {
  return column.type === "text" && column.values.length > OPEN_VALUES && column.values.every(({ value }) => DATE.test(value));
}
