"""Captions in preparation: counts, and a guess of the language."""

import unicodedata
from collections import Counter
from collections.abc import Container, Iterable, Mapping
from typing import Any

from weft.core.cells import is_number
from weft.core.dates import is_date
from weft.core.media import Alternatives
from weft.core.text import compatible, folded, normalised, words
from weft.data.formats._columns import TEXT_COLUMNS, is_text_column

__all__ = [
    "as_captions",
    "captions_of",
    "folded",
    "language",
    "normalised",
    "sentences_of",
    "words",
]

# Prefix of a script's letters in their Unicode names -> the language that the script suggests.
SCRIPTS = {
    "HIRAGANA": "Japanese",
    "KATAKANA": "Japanese",
    "CJK": "Chinese",
    "HANGUL": "Korean",
    "GREEK": "Greek",
    "HEBREW": "Hebrew",
    "THAI": "Thai",
    "KHMER": "Khmer",
    "LAO": "Lao",
}
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
    """Guesses the language by its script, and for Latin script by its commonest words."""
    plain = compatible(caption)
    letters = [unicodedata.name(c, "").partition(" ")[0] for c in plain if c.isalpha()]
    if not letters:
        return "no letters"
    counts = Counter(SCRIPTS.get(name, f"{name.capitalize()} script") for name in letters)
    script, found = counts.most_common(1)[0]
    if counts["Japanese"] * 5 > len(letters):  # Japanese also uses Chinese characters
        return "Japanese"
    if script != "Latin script" and found * 2 > len(letters):
        return script
    votes: Counter[str] = Counter()
    for word in words(plain.casefold()):
        votes.update(_LANGUAGES_OF_WORD.get(word, ()))
    return votes.most_common(1)[0][0] if votes else "Latin script"


def as_captions(value: object) -> list[str]:
    """Returns the captions of a "text" item: a string, a list of strings, or nothing."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Iterable):
        return [caption for caption in value if isinstance(caption, str)]
    return []


def captions_of(
    items: Mapping[str, Any], texts: Container[str] = (), *, only: bool = False
) -> dict[str, tuple[str, ...]]:
    """Returns column -> captions of a row: alternatives of strings, and strings in columns with a caption's name.

    texts: further columns that are known to hold texts. only: no other columns hold texts, whatever their names.
    """
    found: dict[str, tuple[str, ...]] = {}
    for name, value in items.items():
        called = name in texts or (not only and is_text_column(name))
        several = isinstance(value, Alternatives) and (called or not only)
        if called and isinstance(value, str):
            found[name] = (value,)
        elif several or (called and isinstance(value, list | tuple)):
            captions = tuple(as_captions(value))
            # An empty list means "no caption" only in a column that can hold nothing but captions.
            empty = several or name in TEXT_COLUMNS
            if len(captions) == len(value) and (captions or empty):
                found[name] = captions
    return found


def sentences_of(items: Mapping[str, Any], texts: Container[str] = ()) -> tuple[str, ...]:
    """Returns strings of two or more words, such as questions and reports, from all columns but captions and the
    split. Numbers (-0.25) and dates do not count."""
    captions = captions_of(items, texts)
    return tuple(
        value
        for name, value in items.items()
        if name not in captions and name != "split" and isinstance(value, str)
        if not is_number(value) and len(words(value)) > 1 and not is_date(value)
    )
