"use strict";
/* What the page says, in the reader's language. A sentence is written once, in English, where it is said; the page
   carries the Chinese ones. `{name}` in a sentence is a place. */

const CHINESE = JSON.parse(document.getElementById("chinese").textContent);
const LANGUAGES = { en: "English", zh: "中文" };
let language = startingLanguage();

/** A sentence with what is in its places; as text it is in the language of the moment. */
class Saying {
  constructor(sentence, places) {
    this.sentence = sentence;
    this.places = places;
  }

  toString() {
    const written = (language === "zh" && CHINESE[this.sentence]) || this.sentence;
    return written.replace(/\{(\w+)\}/g, (_, name) => shown(this.places[name]));
  }
}

function say(sentence, places = {}) {
  return new Saying(sentence, places);
}

function shown(value) {
  return typeof value === "number" ? value.toLocaleString(language, { maximumFractionDigits: 3 }) : String(value);
}

function startingLanguage() {
  const kept = remembered("language");
  if (kept in LANGUAGES) return kept;
  return navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
}

/** Says everything on the page again, in another language. */
function speak(chosen) {
  language = chosen;
  remember("language", chosen);
  document.documentElement.lang = chosen === "zh" ? "zh-Hans" : "en";
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (node.said) node.data = String(node.said);
    for (const [name, said] of Object.entries(node.saidAttributes ?? {})) node.setAttribute(name, String(said));
  }
}

/** A choice that outlives the page; a browser that keeps nothing is asked again next time. */
function remember(name, value) {
  try {
    localStorage.setItem(`weft.${name}`, value);
  } catch {
    /* storage is switched off */
  }
}

function remembered(name) {
  try {
    return localStorage.getItem(`weft.${name}`);
  } catch {
    return null;
  }
}
