"use strict";
/* The page: which runs there are, which views the chosen one has, and the address that says which is shown. */

const VIEWS = [
  { name: "search", words: say("Search"), shows: (run) => run.index && run.can.includes("search"), build: (run) => new SearchView(run) },
  { name: "ask", words: say("Ask"), build: (run) => new AskView(run) },
  ...Object.entries(READINGS).map(([name, { words, outputs }]) => ({
    name,
    words,
    shows: (run) => run.can.includes(name) && headsWith(run, outputs).length > 0,
    build: (run) => new ReadView(run, name),
  })),
  { name: "generate", words: say("Generate"), build: (run) => new GenerateView(run) },
];
const page = { runs: [], run: null, views: [], shown: null };

/** The parameters after the # of the address, which the browser keeps to itself: no server log has them. */
function readAddress() {
  return new URLSearchParams(location.hash.slice(1));
}

function writeAddress(parameters, replace = false) {
  const written = `#${new URLSearchParams(Object.entries(parameters).filter(([, value]) => value !== ""))}`;
  if (written === location.hash) return;
  if (replace) history.replaceState(null, "", written);
  else history.pushState(null, "", written);
}

/** Shows the run and the view of the address, the first where it names none. */
function follow() {
  document.querySelectorAll("dialog[open]").forEach((one) => one.close()); // an explanation of the view before
  const parameters = readAddress();
  const run = page.runs.find((one) => one.name === parameters.get("run")) ?? page.runs[0];
  if (run !== page.run) build(run);
  const named = parameters.get("run");
  const lost = named && named !== run.name;
  fill(page.lost, lost ? make("p", { class: "notice" }, say("There is no run “{name}” here. This is the run “{run}”.", { name: named, run: run.name })) : null);
  const view = page.views.find((one) => one.name === parameters.get("view")) ?? page.views[0];
  page.shown = view;
  page.views.forEach((one) => {
    one.section.hidden = one !== view;
    setAttribute(one.link, "aria-current", one === view ? "page" : null);
  });
  view?.built.restore?.(parameters);
}

/** Builds what a run can do. */
function build(run) {
  page.run = run;
  const offered = VIEWS.filter((view) => (view.shows ? view.shows(run) : run.can.includes(view.name)));
  page.views = offered.map((view) => {
    const built = view.build(run);
    const section = make("section", { "aria-label": view.words }, built.element);
    const link = make("a", { href: `#${new URLSearchParams({ view: view.name, run: run.name })}` }, view.words);
    return { name: view.name, built, section, link };
  });
  fill(page.nav, page.views.map((view) => view.link));
  const none = page.views.length || run.fault ? null : make("p", { class: "notice" }, nothingShown(run));
  const fault = run.fault ? make("p", { class: "notice bad", role: "alert" }, say("The index of this run cannot be read: {reason}", { reason: run.fault })) : null;
  fill(page.main, page.lost, fault, none, page.views.map((view) => view.section));
  fill(page.foot, run.backend ? computedBy(run) : run.name);
  if (page.choice) page.choice.value = run.name;
}

/** Why there is no view. */
function nothingShown(run) {
  if (!run.embeds.length) return say("This page has no function for this run.");
  return say("This run has no index, so nothing can be searched. Build one with “weft index build RUN” and start the server again.");
}

/** What computes the vectors, and, folded, the trial by which it was chosen. */
function computedBy(run) {
  const { name, why } = run.backend;
  return make("details", {}, make("summary", {}, say("{run}, computed by {name}", { run: run.name, name })), why.split("; ").map((one) => make("p", {}, one)));
}

function runChoice() {
  if (page.runs.length < 2) return make("span", { class: "run" }, page.runs[0].name);
  const chosen = (name) => {
    writeAddress({ view: page.shown?.name ?? "", run: name });
    follow();
  };
  page.choice = select(page.runs.map((run) => [run.name, run.name]), page.runs[0].name, chosen, { "aria-label": say("Run") });
  return page.choice;
}

/** Files that are dropped or pasted anywhere go to the view that is shown. */
function takeFiles() {
  const take = (event, transfer) => {
    const files = filesOf(transfer);
    if (!files.length || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    page.shown?.built.accept?.(files);
  };
  const over = (event) => {
    if (![...(event.dataTransfer?.types ?? [])].includes("Files")) return;
    event.preventDefault();
    document.body.classList.add("dropping");
  };
  const left = () => document.body.classList.remove("dropping");
  document.addEventListener("paste", (event) => take(event, event.clipboardData));
  document.addEventListener("dragover", over);
  document.addEventListener("dragleave", (event) => event.relatedTarget === null && left());
  document.addEventListener("drop", (event) => {
    left();
    take(event, event.dataTransfer);
  });
}

async function start() {
  page.main = document.getElementById("main");
  page.foot = document.getElementById("foot");
  page.lost = make("div", { role: "status" });
  page.nav = make("nav", { "aria-label": say("What to do") });
  const place = make("div", { class: "place" });
  const run = make("div", { class: "which" });
  const skip = make("a", { class: "skip", href: "#main", on: { click: skipToMain } }, say("Skip to the content"));
  const top = document.getElementById("top");
  fill(top, skip, make("h1", {}, "Weft"), run, make("div", { class: "switches" }, languageButton(), themeButton()), page.nav);
  speak(language);
  fill(page.main, place);
  const runs = await work(place, ({ signal, tell }) => ask("GET", "/runs", undefined, { signal, tell }));
  if (!runs) return place.append(button(say("Try again"), start));
  page.runs = runs;
  if (!runs.length) return fill(place, make("p", { class: "notice" }, say("The server has no run.")));
  fill(run, runChoice());
  takeFiles();
  addEventListener("popstate", follow);
  return follow();
}

function skipToMain(event) {
  event.preventDefault();
  page.main.focus();
}

start();
