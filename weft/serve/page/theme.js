"use strict";
/* The colours: those of the system, light or dark; and the language. Both choices are remembered. */

const THEMES = {
  system: say("Colours: as the system"),
  light: say("Colours: light"),
  dark: say("Colours: dark"),
};
let theme = startingTheme();
wear(theme);

function startingTheme() {
  const kept = remembered("theme");
  return kept in THEMES ? kept : "system";
}

function wear(chosen) {
  theme = chosen;
  remember("theme", chosen);
  document.documentElement.dataset.theme = chosen;
}

function themeButton() {
  const made = iconButton(theme, THEMES[theme], () => {
    const names = Object.keys(THEMES);
    wear(names[(names.indexOf(theme) + 1) % names.length]);
    setAttribute(made, "aria-label", THEMES[theme]);
    setAttribute(made, "title", THEMES[theme]);
    fill(made, icon(theme));
  });
  return made;
}

/** A button that says the other language, in that language. */
function languageButton() {
  const other = () => (language === "zh" ? "en" : "zh");
  const made = button(LANGUAGES[other()], () => {
    speak(other());
    fill(made, LANGUAGES[other()]);
    made.lang = other();
  });
  made.lang = other();
  made.classList.add("quiet");
  return made;
}
