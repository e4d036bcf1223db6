"""Decodes text files: the encoding comes from the byte-order mark or from the user."""

import codecs
import re
import unicodedata
from pathlib import Path

from weft.core.errors import DataError, WeftError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark is the beginning of this one
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
CANDIDATES = (
    "cp1252",
    "gbk",
    "gb18030",
    "big5",
    "shift_jis",
    "euc_kr",
    "cp1251",
    "cp1250",
    "cp437",
)
"""Encodings that an error message proposes; of several equally good ones, the first."""
PROBED_BYTES = 1 << 20
SHOWN = 3
_BAD = re.compile("[\udc80-\udcff]")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffd]")


def known_encoding(name: str) -> str:
    """Returns `name`. Raises WeftError if Python has no text encoding of that name."""
    try:
        "".encode(name)
    except (LookupError, ValueError):
        raise WeftError(
            f"unknown encoding '{name}', expected one such as utf-8, utf-16, {', '.join(CANDIDATES[:3])}"
        ) from None
    return name


def decode(data: bytes, path: Path, encoding: str | None = None) -> str:
    """Returns the text. A byte that the encoding cannot decode becomes a lone surrogate (see `is_bad`).

    encoding: the user's; else the one of the byte-order mark, else UTF-8. Raises DataError for bytes that are no text
    of an encoding of two or four bytes.
    """
    encoding = encoding or marked(data) or "utf-8"
    try:
        return data.decode(encoding, errors="surrogateescape").removeprefix("\ufeff")
    except UnicodeDecodeError:
        raise DataError(f"is not {label(encoding)} text", source=str(path)) from None


def marked(data: bytes) -> str | None:
    """Detects the encoding from the first bytes: a byte-order mark, or the zeros of UTF-16."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return encoding
    start = data[:4096]
    pairs = len(start) // 2
    even, odd = start[0::2].count(0), start[1::2].count(0)
    if pairs and max(even, odd) > 0.4 * pairs and min(even, odd) < 0.05 * pairs:
        return "utf-16-le" if odd > even else "utf-16-be"
    return None


def is_bad(text: str) -> bool:
    """Whether the text holds bytes that its encoding cannot decode."""
    return not text.isascii() and _BAD.search(text) is not None


def not_text(data: bytes, line: bytes, encoding: str | None) -> str:
    """Explains which bytes of a line are not text, and which encodings can decode the file.

    data: the whole file; line: the bytes of the line.
    """
    said = f"is not {label(encoding or 'utf-8')} text"
    fitting = _fitting(data[:PROBED_BYTES], encoding)
    if not fitting:
        return said
    texts: dict[str, str] = {}
    for name in fitting:
        texts.setdefault(_sample(line.decode(name, "replace")), name)
    shown = (f'--encoding {name} reads "{text}"' for text, name in texts.items())
    return f"{said}: {', '.join(shown)}"


def _fitting(data: bytes, refused: str | None) -> list[str]:
    """Lists the encodings that can decode the file; those whose text looks most like words come first."""
    scores: dict[str, float] = {}
    cut = data if len(data) < PROBED_BYTES else data[: data.rfind(b"\n") + 1] or data
    for name in CANDIDATES:
        if name == refused or (name == "gb18030" and "gbk" in scores):
            continue
        try:
            text = cut.decode(name)
        except UnicodeDecodeError:
            continue
        if not _CONTROL.search(text):
            scores[name] = _likeness(text)
    best = max(scores.values(), default=0.0)
    return sorted((n for n in scores if scores[n] > best - 0.25), key=lambda n: -scores[n])[:SHOWN]


def _likeness(text: str) -> float:
    """Returns the share of non-ASCII characters in positions that are plausible for their script.

    A non-ASCII Latin letter must stand beside an ASCII letter (Müller), and be lower case after a lower-case letter.
    A Chinese character must be a common one or stand beside one.
    """
    found = [place for place, sign in enumerate(text[:100_000]) if not sign.isascii()]
    if not found:
        return 0.0
    return sum(_fits(text, place) for place in found) / len(found)


def _fits(text: str, place: int) -> bool:
    sign, before = text[place], text[place - 1 : place]
    after = text[place + 1 : place + 2]
    if "\u4e00" <= sign <= "\u9fff" or "\u3000" <= sign <= "\u30ff" or "\uff00" <= sign <= "\uffef":
        return not (before.isascii() and before.isalpha() and after.isascii() and after.isalpha())
    if not sign.isalpha():
        return unicodedata.category(sign) in ("Sc", "Pi", "Pf", "Pd", "Po") and sign not in "¡¿¢¥¤"
    near = [each for each in (before, after) if each.isascii() and each.isalpha()]
    if "\u0400" <= sign <= "\u04ff":
        return not near and not (sign.isupper() and before.islower())
    return bool(near) and not (sign.isupper() and before.islower())


def _sample(line: str) -> str:
    """Returns the part of the line around its first non-ASCII character."""
    line = " ".join(line.split())
    place = next((n for n, sign in enumerate(line) if not sign.isascii()), 0)
    return line[max(0, place - 12) : place + 18]


def label(encoding: str) -> str:
    """Returns the encoding's name for messages."""
    return (
        "UTF-8"
        if encoding.lower().replace("_", "-") in ("utf-8", "utf8", "utf-8-sig")
        else encoding
    )
