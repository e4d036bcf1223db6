"use strict";
/* What goes on, and what went wrong, is said where it was asked. */

const SOON = 250; // milliseconds until it is said that something goes on

/** What `task({signal, tell})` gives, or undefined where it failed or was cancelled.

    While it works, `place` says so and has a button that cancels it; what went wrong is a sentence there. A new task
    in a place ends the one before it. */
async function work(place, task) {
  place.working?.abort();
  const control = new AbortController();
  place.working = control;
  const mine = () => place.working === control;
  const words = make("span", {}, say("Working"));
  const timer = setTimeout(() => mine() && fill(place, progress(words, control)), SOON);
  fill(place);
  place.setAttribute("aria-busy", "true");
  try {
    const found = await task({ signal: control.signal, tell: (sentence) => mine() && fill(words, sentence) });
    if (!mine()) return undefined;
    fill(place);
    return found;
  } catch (error) {
    if (mine()) fill(place, control.signal.aborted ? cancelled() : complaint(error));
    return undefined;
  } finally {
    clearTimeout(timer);
    if (mine()) {
      place.working = null;
      place.removeAttribute("aria-busy");
    }
  }
}

/** Ends what goes on in a place, without a word, and empties it. */
function quit(place) {
  place.working?.abort();
  place.working = null;
  place.removeAttribute("aria-busy");
  fill(place);
}

/** Acts at once; what went wrong is a sentence in `place`. */
function attempt(place, act) {
  try {
    act();
  } catch (error) {
    fill(place, complaint(error));
  }
}

function progress(words, control) {
  return make(
    "div",
    { class: "working" },
    make("span", { class: "spinner", "aria-hidden": "true" }),
    words,
    button(say("Cancel"), () => control.abort(), { class: "quiet" }),
  );
}

function cancelled() {
  return make("p", { class: "soft" }, say("Cancelled."));
}

/** One sentence about what went wrong. */
function complaint(error) {
  if (!(error instanceof Refused)) console.error(error);
  const sentence = error instanceof Refused ? error.sentence : say("The page failed: {reason}", { reason: error.message });
  return make("p", { class: "notice bad", role: "alert" }, sentence);
}

/** A sentence that must not be overlooked. */
function notice(...content) {
  return make("div", { class: "notice" }, ...content);
}

/** A place for `work`: what appears in it is read aloud. */
function workplace() {
  return make("div", { class: "place", "aria-live": "polite" });
}
