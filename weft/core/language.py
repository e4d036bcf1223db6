"""Messages and pages in the reader's language: English, or Chinese if the catalogue has a translation.

The source contains each sentence once, in English. `language_zh.json` beside this file maps English sentences to
Chinese ones. Their variable parts are places, such as {path}; a place in the translation is filled with the text at
that place in the English sentence. `{reason~}` is a place that holds another sentence of the catalogue, `{names|}`
one that holds alternatives joined by "or", `{_are}` is English grammar that the translation omits, and `{count}` is a
number. A sentence without a translation stays English.
"""

import functools
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path

from weft.core.documents import read_json
from weft.core.errors import unknown_name

LANGUAGES = ("en", "zh")
VARIABLE = "WEFT_LANGUAGE"
PLACE = re.compile(r"\{(\w+)([~|]?)\}")
OR = {"zh": " 或 "}
LONGEST = 2000
"""Characters. Longer texts are not looked up in the catalogue."""
MOST_PARTS = 8
"""Texts with more parts are not split: they are data, and the search for a translation would take long."""
_READER: ContextVar[str | None] = ContextVar("reader", default=None)
"""Language of the request that is being answered; None outside of requests, and if the request names none."""


def language() -> str:
    """The language of messages, help and pages: of the request that is being answered, else from WEFT_LANGUAGE,
    else from the locale, else English."""
    reader = _READER.get()
    if reader is not None:
        return reader
    # The order is that of gettext (GNU gettext manual, section 2.3.2).
    names = (VARIABLE, "LC_ALL", "LC_MESSAGES", "LANG")
    chosen = next((os.environ[name] for name in names if os.environ.get(name)), "")
    code = re.split(r"[-_.@]", chosen.lower())[0]
    return code if code in LANGUAGES else "en"


def check_language(chosen: str | None) -> None:
    """Raises WeftError if the language does not exist. None: the language of WEFT_LANGUAGE."""
    wanted = os.environ.get(VARIABLE) or "en" if chosen is None else chosen
    if re.split(r"[-_.@]", wanted.lower())[0] not in LANGUAGES:
        raise unknown_name("language", wanted, LANGUAGES)


@contextmanager
def speaking(chosen: str | None) -> Iterator[None]:
    """Within it all messages are in this language, also those of processes that are started; None changes nothing."""
    before = os.environ.get(VARIABLE)
    if chosen is not None:
        os.environ[VARIABLE] = chosen
    try:
        yield
    finally:
        if chosen is not None:
            os.environ.pop(VARIABLE)
            os.environ.update({VARIABLE: before} if before is not None else {})


@contextmanager
def answering(accepted: str) -> Iterator[None]:
    """Sets the language of this thread or task to that of the request it answers. Other threads and tasks keep theirs.

    accepted: the header Accept-Language. If it names no known language, that of the process is used.
    """
    token = _READER.set(preferred(accepted))
    try:
        yield
    finally:
        _READER.reset(token)


def preferred(accepted: str) -> str | None:
    """The known language with the greatest weight in a header Accept-Language (RFC 9110, section 12.5.4), or None."""
    weights: dict[str, float] = {}
    for one in accepted.lower().split(","):
        code, _, weight = one.partition(";")
        found = re.fullmatch(r"\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*", weight) if weight else None
        known = code.strip().split("-")[0]
        if known in LANGUAGES and (found or not weight):
            value = float(found[1]) if found else 1.0
            weights[known] = max(value, weights.get(known, 0.0))
    best = max(weights, key=weights.__getitem__, default=None)  # the first of equal weights
    return best if best is not None and weights[best] > 0 else None


def listed(sentences: Iterable[str]) -> str:
    """Sentences and titles as a list in the reader's language; they may contain commas."""
    return ("；" if language() == "zh" else "; ").join(map(say, sentences))


def with_commas(phrases: Iterable[str]) -> str:
    """Short phrases with commas between them, in the reader's language."""
    return ("，" if language() == "zh" else ", ").join(map(say, phrases))


def full_stop() -> str:
    """The mark that ends a sentence in the reader's language."""
    return "。" if language() == "zh" else "."


def say(sentence: str) -> str:
    """The English sentence translated into the reader's language."""
    chosen = language()
    if chosen == "en" or len(sentence) > LONGEST:
        return sentence
    return _said(sentence, chosen)


@functools.lru_cache(maxsize=4096)
def _said(sentence: str, chosen: str) -> str:
    found = _looked_up(sentence, chosen) or _in_parts(sentence, chosen)
    return found or _sentences(sentence, chosen) or sentence


def _sentences(text: str, chosen: str) -> str | None:
    """Translates several sentences, or one with its full stop, if the catalogue has each without or with it."""
    found = []
    for one in re.split(r"(?<=[.!?]) (?=[A-Z])", text):
        bare = one.removesuffix(".")
        said = _looked_up(one, chosen) or _looked_up(bare, chosen) or _in_parts(bare, chosen)
        if said is None:
            return None
        found.append(said if said.endswith("。") else f"{said}。")
    return "".join(found)


def _looked_up(sentence: str, chosen: str) -> str | None:
    small = sentence.lower()
    for entry in catalogue(chosen):
        found = entry.pattern.fullmatch(sentence) if entry.fixed in small else None
        if found:
            return entry.filled(found.groupdict(), chosen)
    return None


def _in_parts(sentence: str, chosen: str) -> str | None:
    """Translates WHERE: SENTENCE; SENTENCE; and lists with commas, if the catalogue has each part."""
    # Sentences are split first: a place at the end of one would take in those behind it.
    for mark in re.finditer("; ", sentence if sentence.count("; ") < MOST_PARTS else ""):
        # Only the text after the mark is split further. Splits of the text before it were tried at earlier marks.
        before, after = sentence[: mark.start()], sentence[mark.end() :]
        first = (
            _looked_up(before, chosen)
            or _after_place(before, chosen)
            or _list(before.split(", "), chosen)
        )
        second = first and (_looked_up(after, chosen) or _in_parts(after, chosen))
        if second:
            return f"{first}；{second}"
    return _after_place(sentence, chosen) or _list(sentence.split(", "), chosen)


def _after_place(sentence: str, chosen: str) -> str | None:
    """Translates WHERE: SENTENCE, if the catalogue has the sentence."""
    for mark in islice(re.finditer(": ", sentence), MOST_PARTS):
        said = _looked_up(sentence[mark.end() :], chosen)
        if said:
            return f"{sentence[: mark.start()]}: {said}"
    return None


def _list(parts: list[str], chosen: str) -> str | None:
    """Translates a list of which some parts are in the catalogue and all others are one-word names, such as
    recall@1.
    """
    if len(parts) < 2:
        return None
    said = []
    for part in parts:
        said.append(_looked_up(part, chosen))
        if said[-1] is None and " " in part:
            return None
    if not any(said):
        return None
    return "，".join(one or part for one, part in zip(said, parts, strict=True))


@dataclass(frozen=True)
class Entry:
    """A sentence of the catalogue."""

    english: str
    translation: str

    @functools.cached_property
    def fixed(self) -> str:
        """The longest text between two places, in lower case. A sentence without it does not match the pattern."""
        return max(PLACE.split(self.english)[::3], key=len).lower()

    @functools.cached_property
    def pattern(self) -> re.Pattern[str]:
        """A regular expression for the English sentence with any values in its places."""
        fixed = PLACE.split(self.english)[::3]
        parts = [re.escape(fixed[0])]
        for place, (before, text) in zip(
            PLACE.finditer(self.english), pairwise(fixed), strict=True
        ):
            value = r"[\d,.]+" if place[1] == "count" else ".*?"
            if before.endswith("'") and text.startswith("'"):
                value = r"(?:(?!' ').)*?"  # Must not match two quoted names as one.
            parts.append(f"(?P<{place[1]}>{value}){re.escape(text)}")
        # A place at the end does not include the sentence's full stop, but may end in an ellipsis or be the path ".".
        stop = "" if fixed[-1] else r"(?<![^.\s]\.)"
        return re.compile("".join(parts) + stop, flags=re.DOTALL | re.IGNORECASE)

    def filled(self, places: dict[str, str], chosen: str) -> str:
        """The translation with these values in its places."""

        def value(place: re.Match[str]) -> str:
            text = places[place[1]]
            if place[2] == "|":
                return text.replace(" or ", OR[chosen])
            return _said(text, chosen) if place[2] else text

        return PLACE.sub(value, self.translation)


@functools.cache
def catalogue(chosen: str) -> tuple[Entry, ...]:
    """The translations into one language, sorted by the length of their fixed text, the longest first."""
    path = Path(__file__).parent / f"language_{chosen}.json"
    entries = [Entry(english, translation) for english, translation in read_json(path).items()]
    return tuple(sorted(entries, key=lambda entry: -len(PLACE.sub("", entry.english))))
