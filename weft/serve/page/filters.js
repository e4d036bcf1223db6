"use strict";
/* Filters by the metadata of the index: values with their counts, and ranges of numbers. */

const OPEN_VALUES = 8; // a column of more is folded
const WIDE = "(min-width: 60rem)";

class Filters {
  /** columns: of the index. changed: is called when a filter becomes another. */
  constructor(columns, changed) {
    this.changed = changed;
    this.columns = columns.map((column) => (column.type === "number" ? this.range(column) : this.values(column)));
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
    const fold = make("details", { open: boxes.length <= OPEN_VALUES }, make("summary", {}, column.name), boxes.map((one) => one.element));
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
    const bound = (placeholder, words) => numberInput({ placeholder, step: "any", "aria-label": words, on: { change: () => this.hear() } });
    const least = bound(column.min, say("{column}: at least", { column: column.name }));
    const most = bound(column.max, say("{column}: at most", { column: column.name }));
    const row = make("div", { class: "range" }, least, "–", most);
    return {
      name: column.name,
      element: make("div", { class: "column", role: "group", "aria-label": column.name }, make("span", { class: "heading" }, column.name), row),
      get: () => {
        const found = Object.entries({ min: numberOf(least), max: numberOf(most) }).filter(([, value]) => value !== null);
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
