"""Captions in preparation: what is counted of them, and a hint at the language."""

import re
from collections.abc import Iterable

from weft.core.text import folded, normalised, words

__all__ = ["as_captions", "folded", "language", "normalised", "words"]

SCRIPTS = (
    ("Japanese", re.compile(r"[\u3040-\u30ff]")),
    ("Chinese", re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")),
    ("Korean", re.compile(r"[\uac00-\ud7af\u1100-\u11ff]")),
    ("Cyrillic script", re.compile(r"[\u0400-\u04ff]")),
    ("Greek", re.compile(r"[\u0370-\u03ff]")),
    ("Arabic script", re.compile(r"[\u0600-\u06ff]")),
    ("Hebrew", re.compile(r"[\u0590-\u05ff]")),
    ("Devanagari script", re.compile(r"[\u0900-\u097f]")),
    ("Thai", re.compile(r"[\u0e00-\u0e7f]")),
)
COMMON_WORDS = {
    "English": "a an the is are of in on with and to at his her their while by from two man woman",
    "German": "ein eine einen einem einer der die das und ist sind auf mit im am zwei mann frau den",
    "French": "un une le la les des du et est sont dans sur avec deux homme femme au aux qui en",
    "Spanish": "un una el la los las de del y es están en con dos hombre mujer está por que al",
    "Italian": "un una il la i gli le di del e è sono in su con due uomo donna che al",
    "Portuguese": "um uma os das dos da de e é são em com dois homem mulher que uns umas",
}
_LANGUAGES_OF_WORD: dict[str, list[str]] = {}
for _language, _words in COMMON_WORDS.items():
    for _word in _words.split():
        _LANGUAGES_OF_WORD.setdefault(_word, []).append(_language)


def language(caption: str) -> str:
    """A hint at the language: by script, and for Latin script by its commonest words."""
    letters = sum(c.isalpha() for c in caption)
    if not letters:
        return "no letters"
    for name, pattern in SCRIPTS:
        found = len(pattern.findall(caption))
        if found * 2 > letters or (name == "Japanese" and found * 5 > letters):
            return name
    votes: dict[str, int] = {}
    for word in words(caption.casefold()):
        for candidate in _LANGUAGES_OF_WORD.get(word, ()):
            votes[candidate] = votes.get(candidate, 0) + 1
    return max(votes, key=lambda name: votes[name]) if votes else "Latin script"


def as_captions(value: object) -> list[str]:
    """The captions of a "text" item: a string, a list of strings, or nothing."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Iterable):
        return [caption for caption in value if isinstance(caption, str)]
    return []
