"use strict";
/* The cut-off: hits that score less are hidden, and how many are is said. Its first value is the calibrated one of the query. */

const STEP = 0.005;

class Cutoff {
  /** changed: is called when it becomes another. */
  constructor(changed) {
    this.calibrated = null;
    this.chosen = null;
    this.slider = make("input", { type: "range", step: STEP, on: { input: () => this.move(Number(this.slider.value), changed) } });
    this.number = make("output", {});
    this.back = button("", () => this.move(null, changed), { class: "quiet", hidden: true });
    this.element = make("div", { class: "cutoff", hidden: true }, field(say("Cut-off"), this.slider), this.number, this.back);
  }

  /** What is in force; null: none. */
  get value() {
    return this.chosen ?? this.calibrated;
  }

  move(value, changed) {
    this.chosen = value;
    this.draw();
    changed();
  }

  /** Sets it as the address says, null for the calibrated one. */
  put(value) {
    this.chosen = value;
    this.draw();
  }

  /** The slider goes from below the least score to above the best. calibrated: of this query, null where it has none. */
  fit(scores, calibrated) {
    this.calibrated = calibrated;
    const all = [...scores, ...[this.value, this.calibrated].filter((one) => one !== null)];
    this.element.hidden = !scores.length;
    this.slider.min = String(Math.floor(Math.min(...all) / STEP - 1) * STEP);
    this.slider.max = String(Math.ceil(Math.max(...all) / STEP + 1) * STEP);
    this.draw();
  }

  draw() {
    this.slider.value = this.value ?? this.slider.min;
    fill(this.number, this.value === null ? say("none") : round(this.value));
    fill(this.back, say("Calibrated: {cutoff}", { cutoff: round(this.calibrated ?? 0) }));
    this.back.hidden = this.chosen === null || this.calibrated === null;
  }
}

/** A score, as it is shown everywhere. */
function round(score) {
  return score.toFixed(3);
}
