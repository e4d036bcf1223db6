"""Text in any script: normal forms, words, and characters with their marks.

All code that compares, counts or cuts texts uses this module: captions, answers, classes, ids.
"""

import re
import unicodedata
from collections.abc import Callable
from functools import cache

# Scripts that are written without blanks between words: Thai, Lao, Myanmar, Khmer, Tai, Balinese,
# Javanese, kana, and Chinese characters.
UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u1950-\u19df\u1a20-\u1aaf\u1b00-\u1b7f\u3005\u3007"
    "\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua980-\ua9ff\uaa60-\uaadf\uf900-\ufaff"
    "\uff66-\uff9f\U0001b000-\U0001b16f\U00020000-\U000323af"
)
# Zero-width space and no-break space, word joiner, soft hyphen, and signs of writing direction.
_INVISIBLE = re.compile("[\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
# Variation selectors and joiners: they select a form of the character before them and do not change the word.
_SELECTORS = re.compile("[\u180b-\u180d\u200c\u200d\ufe00-\ufe0f\U000e0100-\U000e01ef]")
# Finds the same as `_pieces` in an ASCII text, several times faster.
_ASCII_PIECES = re.compile("[^\\W_]+(?:'[^\\W_]+)*|[$+<=>|~]", re.ASCII)
_JOINERS = "\u200c\u200d"
# No mark, symbol or superscript has a larger code point, except the selectors above.
_LAST = 0x20000


def normalised(text: str) -> str:
    """One line in Unicode's composed form (NFC), without control or invisible characters.

    Half of a surrogate pair, which no encoding can represent, becomes U+FFFD. Joiners stay: Persian and Indian
    scripts use them in words.
    """
    if text.isascii():
        return " ".join(_CONTROL.sub(" ", text).split())
    try:
        text.encode()
    except UnicodeEncodeError:
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    visible = _CONTROL.sub(" ", _INVISIBLE.sub("", text))
    return " ".join(unicodedata.normalize("NFC", visible).split())


def utf8(text: str) -> bytes:
    """The bytes of any string, for a digest; also of a file's name that is not valid Unicode."""
    return text.encode("utf-8", "surrogatepass")


def compatible(text: str) -> str:
    """Normalised, with one form for all widths and ligatures (NFKC): full-width letters become letters.

    Superscripts and subscripts stay as they are, since 10² is not 102.
    """
    if text.isascii():
        return normalised(text)
    parts = re.split(f"([{_class(_raised)}]+)", text)
    parts[::2] = [unicodedata.normalize("NFKC", part) for part in parts[::2]]
    return normalised("".join(parts))


def folded(text: str) -> str:
    """A key that is equal for texts that differ only in case, punctuation, width, joiners or blanks.

    Empty for a text without a word or a symbol.
    """
    plain = _SELECTORS.sub("", compatible(compatible(text).casefold()))
    pieces = _ASCII_PIECES if plain.isascii() else _pieces()
    return " ".join(pieces.findall(plain))


# fmt: off
_NOUNS = frozenset((
    "image", "picture", "photo", "text", "sentence", "caption", "paragraph", "question", "answer", "report", "title",
    "audio", "sound", "clip", "video", "word", "label", "article", "product",
))
# fmt: on
"""English names of streams that have a plural."""


def plural_of(name: str) -> str:
    """The plural of a stream's name: images. A name that is not an English word stays the same: Bild."""
    return f"{name}s" if name in _NOUNS else name


def singular_of(plural: str) -> str:
    """The singular of a plural that is one word: row of rows."""
    return plural if " " in plural else plural.removesuffix("s")


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """The number with its noun: "1 row", "2,000 rows"."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def words(text: str) -> list[str]:
    """The words of a text, each with its marks; the single characters in a script without blanks."""
    return _words().findall(unicodedata.normalize("NFC", text))


def characters(text: str) -> list[str]:
    """The characters of a text, each with the marks that combine with it."""
    marks = marks_class()
    return re.findall(rf"[^{marks}][{marks}]*|[{marks}]+", text, re.DOTALL)


def is_punctuation(character: str) -> bool:
    """Whether the character is a punctuation mark in any script."""
    return unicodedata.category(character[0]).startswith("P")


def is_mark(character: str) -> bool:
    """Whether the character combines with the one before it."""
    return unicodedata.category(character).startswith("M")


def unspaced(text: str) -> bool:
    """Whether the text has a character of a script that is written without blanks."""
    return re.search(f"[{UNSPACED}]", text) is not None


def letters_pattern() -> str:
    """A regular expression for one letter or digit of any script, or a mark that combines."""
    return rf"(?:[^\W_]|[{marks_class()}])"


def marks_class() -> str:
    """Combining marks and joiners of all scripts, as the inside of a class of a regular expression."""
    return _class(is_mark) + _JOINERS + "\U000e0100-\U000e01ef"


def symbols_class() -> str:
    """Symbols (currencies, mathematics, pictographs), as the inside of a class."""
    return _class(_symbol)


def _symbol(character: str) -> bool:
    return unicodedata.category(character) in ("So", "Sc", "Sm")


def _raised(character: str) -> bool:
    return unicodedata.decomposition(character).startswith(("<super>", "<sub>"))


@cache
def _class(member: Callable[[str], bool]) -> str:
    """These characters as ranges in a class of a regular expression."""
    found = [code for code in range(_LAST) if member(chr(code))]
    starts = [code for code, before in zip(found, [-2, *found], strict=False) if code != before + 1]
    ends = [code for code, after in zip(found, [*found[1:], -2], strict=True) if code + 1 != after]
    return "".join(
        f"\\U{first:08x}-\\U{last:08x}" for first, last in zip(starts, ends, strict=True)
    )


@cache
def _words() -> re.Pattern[str]:
    return re.compile(_word())


@cache
def _pieces() -> re.Pattern[str]:
    """The words of a text, and its symbols as separate items."""
    return re.compile(rf"{_word()}|[{symbols_class()}]")


def _word() -> str:
    marks = marks_class()
    letter = rf"[^\W_{UNSPACED}]"
    spelled = rf"{letter}+(?:[{marks}]+{letter}*)*"
    return rf"(?=[^\W_])[{UNSPACED}][{marks}]*|{spelled}(?:['’]{spelled})*"
