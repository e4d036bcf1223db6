"""What people read, in their language: English, or Chinese where the catalogue has a translation.

A sentence is written once, in English, where it is said. `language_zh.json` beside this file has for each
English sentence the Chinese one. What differs from time to time is a place, such as {path}: it is filled with what
the English sentence has there. `{reason~}` is a place that holds a sentence of the catalogue itself, `{_are}` one of
English grammar that the translation does without, and `{count}` a number. What has no translation stays English.
"""

import functools
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from weft.core.documents import read_json
from weft.core.errors import unknown_name

LANGUAGES = ("en", "zh")
VARIABLE = "WEFT_LANGUAGE"
PLACE = re.compile(r"\{(\w+)(~?)\}")
LONGEST = 2000
"""Characters of a sentence that is looked up; what is longer is no sentence."""


def language() -> str:
    """The language of messages, help and pages: that of WEFT_LANGUAGE, else of the locale, else English."""
    # The order is that of gettext (GNU gettext manual, section 2.3.2).
    names = (VARIABLE, "LC_ALL", "LC_MESSAGES", "LANG")
    chosen = next((os.environ[name] for name in names if os.environ.get(name)), "")
    code = re.split(r"[-_.@]", chosen.lower())[0]
    return code if code in LANGUAGES else "en"


def check_language(chosen: str | None) -> None:
    """Raises WeftError where there is no such language; None is that of WEFT_LANGUAGE."""
    wanted = os.environ.get(VARIABLE) or "en" if chosen is None else chosen
    if re.split(r"[-_.@]", wanted.lower())[0] not in LANGUAGES:
        raise unknown_name("language", wanted, LANGUAGES)


@contextmanager
def speaking(chosen: str | None) -> Iterator[None]:
    """Within it everything is said in this language, in processes that are started too; None changes nothing."""
    before = os.environ.get(VARIABLE)
    if chosen is not None:
        os.environ[VARIABLE] = chosen
    try:
        yield
    finally:
        if chosen is not None:
            os.environ.pop(VARIABLE)
            os.environ.update({VARIABLE: before} if before is not None else {})


def listed(sentences: Iterable[str]) -> str:
    """Sentences and titles, which may have commas, one after the other in the reader's language."""
    return ("；" if language() == "zh" else "; ").join(map(say, sentences))


def full_stop() -> str:
    """What ends a sentence of the reader's language."""
    return "。" if language() == "zh" else "."


def say(sentence: str) -> str:
    """The English sentence in the language of the reader."""
    chosen = language()
    if chosen == "en" or len(sentence) > LONGEST:
        return sentence
    return _said(sentence, chosen)


@functools.lru_cache(maxsize=4096)
def _said(sentence: str, chosen: str) -> str:
    found = _looked_up(sentence, chosen) or _in_parts(sentence, chosen)
    return found or _sentences(sentence, chosen) or sentence


def _sentences(text: str, chosen: str) -> str | None:
    """Several sentences, or one with its full stop, where each is in the catalogue without or with it."""
    found = []
    for one in re.split(r"(?<=[.!?]) (?=[A-Z])", text):
        bare = one.removesuffix(".")
        said = _looked_up(one, chosen) or _looked_up(bare, chosen) or _in_parts(bare, chosen)
        if said is None:
            return None
        found.append(said if said.endswith("。") else f"{said}。")
    return "".join(found)


def _looked_up(sentence: str, chosen: str) -> str | None:
    for entry in catalogue(chosen):
        found = entry.pattern.fullmatch(sentence)
        if found:
            return entry.filled(found.groupdict(), chosen)
    return None


def _in_parts(sentence: str, chosen: str) -> str | None:
    """WHERE: SENTENCE; SENTENCE; SENTENCE; and lists with commas, where each part is in the catalogue."""
    for mark in re.finditer(": ", sentence):
        said = _looked_up(sentence[mark.end() :], chosen)
        if said:
            return f"{sentence[: mark.start()]}: {said}"
    for mark in re.finditer("; ", sentence):
        parts = sentence[: mark.start()], sentence[mark.end() :]
        first, second = (_looked_up(one, chosen) or _in_parts(one, chosen) for one in parts)
        if first and second:
            return f"{first}；{second}"
    return _list(sentence.split(", "), chosen)


def _list(parts: list[str], chosen: str) -> str | None:
    """Parts of which some are in the catalogue, and all others are names of one word, such as recall@1."""
    said = [_looked_up(part, chosen) for part in parts]
    known = any(said) and all(one or " " not in part for one, part in zip(said, parts, strict=True))
    if len(parts) < 2 or not known:
        return None
    return "，".join(one or part for one, part in zip(said, parts, strict=True))


@dataclass(frozen=True)
class Entry:
    """A sentence of the catalogue."""

    english: str
    translation: str

    @functools.cached_property
    def pattern(self) -> re.Pattern[str]:
        """What the English sentence looks like with its places filled."""
        fixed = PLACE.split(self.english)[::3]
        parts = [re.escape(fixed[0])]
        for place, text in zip(PLACE.finditer(self.english), fixed[1:], strict=True):
            value = r"[\d,.]+" if place[1] == "count" else ".*?"
            parts.append(f"(?P<{place[1]}>{value}){re.escape(text)}")
        # A place at the end leaves the full stop to the sentence; an ellipsis, and "." as a path, are its own.
        stop = "" if fixed[-1] else r"(?<![^.\s]\.)"
        return re.compile("".join(parts) + stop, flags=re.DOTALL | re.IGNORECASE)

    def filled(self, places: dict[str, str], chosen: str) -> str:
        """The translation with these values in its places."""

        def value(place: re.Match[str]) -> str:
            return _said(places[place[1]], chosen) if place[2] else places[place[1]]

        return PLACE.sub(value, self.translation)


@functools.cache
def catalogue(chosen: str) -> tuple[Entry, ...]:
    """The translations into one language; those with the longest fixed text come first."""
    path = Path(__file__).parent / f"language_{chosen}.json"
    entries = [Entry(english, translation) for english, translation in read_json(path).items()]
    return tuple(sorted(entries, key=lambda entry: -len(PLACE.sub("", entry.english))))
