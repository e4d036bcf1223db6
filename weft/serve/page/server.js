"use strict";
/* Questions to the server, all under its own address. */

const PATIENCE = 6; // times that a busy server is asked again
let loggingIn = null;

/** What the server refuses, or that it cannot be reached: one sentence. */
class Refused extends Error {
  constructor(sentence, status = 0) {
    super(String(sentence));
    this.sentence = sentence;
    this.status = status;
  }
}

/** The JSON that the server answers. signal: ends it. tell: is told a sentence while the server makes it wait. */
async function ask(method, path, body, { signal, tell = () => {} } = {}) {
  for (let attempt = 0; ; attempt += 1) {
    const answer = await sent(method, path, body, signal);
    if (answer.ok) return answer.json();
    if (answer.status === 401 && path !== "/login") {
      await login();
    } else if (answer.status === 429 && attempt < PATIENCE) {
      await waitAsTold(answer, signal, tell);
    } else {
      throw await refusal(answer);
    }
  }
}

async function sent(method, path, body, signal) {
  const headers = { Accept: "application/json", "Accept-Language": language };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  try {
    return await fetch(path, { method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(say("The server cannot be reached."));
  }
}

async function refusal(answer) {
  let sentence = null;
  try {
    sentence = (await answer.json()).error;
  } catch {
    /* not JSON: the status has to do */
  }
  return new Refused(sentence || say("The server answered with status {status}.", { status: String(answer.status) }), answer.status);
}

/** Waits as many seconds as the server says, and counts them down. */
async function waitAsTold(answer, signal, tell) {
  const seconds = Math.min(60, Math.max(1, Math.ceil(Number(answer.headers.get("Retry-After")) || 1)));
  for (let left = seconds; left > 0; left -= 1) {
    tell(say("The server is busy; asking again in {seconds} s", { seconds: left }));
    await pause(1000, signal);
  }
  tell(say("Working"));
}

function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const ended = () => {
      clearTimeout(timer);
      reject(new DOMException("", "AbortError"));
    };
    if (signal?.aborted) {
      reject(new DOMException("", "AbortError"));
      return;
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", ended);
      resolve();
    }, milliseconds);
    signal?.addEventListener("abort", ended, { once: true });
  });
}

/** Asks for the token, once however many questions wait for it. */
function login() {
  loggingIn ??= askForToken().finally(() => {
    loggingIn = null;
  });
  return loggingIn;
}

function askForToken() {
  return new Promise((resolve, reject) => {
    const token = make("input", { type: "password", autocomplete: "current-password", required: true, name: "token" });
    const place = make("div", { "aria-live": "polite" });
    const heading = make("h2", { id: newId("login") }, say("Log in"));
    const form = make(
      "form",
      { class: "stack" },
      heading,
      make("p", { class: "soft" }, say("This server needs a token. Ask the person who runs the server for it.")),
      make("input", { type: "text", name: "user", value: "weft", autocomplete: "username", hidden: true }), // for keepers of passwords
      field(say("Token"), token),
      place,
      make("div", { class: "actions" }, make("button", { class: "main" }, say("Log in")), button(say("Cancel"), () => dialog.close())),
    );
    const dialog = make("dialog", { "aria-labelledby": heading.id, class: "narrow" }, form);
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const entered = await work(place, ({ signal, tell }) => ask("POST", "/login", { token: token.value }, { signal, tell }));
      if (entered === undefined) return token.select();
      resolve();
      return dialog.close();
    });
    dialog.addEventListener("close", () => {
      dialog.remove();
      reject(new Refused(say("The request was not sent: you are not logged in."), 401));
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
