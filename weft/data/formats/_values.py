"""Columns of strings in one form: numbers, dates and lists, where a whole column is so.

A table of text says 1.234,5 or 1,234.5, 5.3.2026 or March 5, 2026, red;blue. What a column holds is judged by
all its values, since 1.234 or 03/04/2026 alone can be read in two ways.
"""

import datetime
import itertools
import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

MISSING = frozenset(("na", "n/a", "nan", "null", "none", "-", "--", "?", "k.a.", "#n/a"))
"""What stands in a column of numbers or dates where a row has no value."""
TAG_NAMES = frozenset(
    ("tags", "keywords", "labels", "stichworte", "schlagworte", "schlagwörter", "标签")
)
_PLAIN = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")
_SPACE = "[ \u00a0\u2009\u202f'’]"
_COMMA_DECIMAL = re.compile(rf"[+-]?(?:\d{{1,3}}(?:(?:\.|{_SPACE})\d{{3}})+|\d+)(?:,\d+)?")
_POINT_DECIMAL = re.compile(rf"[+-]?(?:\d{{1,3}}(?:(?:,|{_SPACE})\d{{3}})+|\d+)(?:\.\d+)?")
_ONLY_COMMA_DECIMAL = re.compile(r".*\..*,.*|.*,(?!\d{3}$)\d+|[+-]?0\d*,\d+|[+-]?\d{4,},\d+")
_ONLY_POINT_DECIMAL = re.compile(r".*,.*\..*|.*,.*,.*")
# fmt: off
_MONTHS = {
    name: number
    for number, names in enumerate((
        "jan january januar jänner", "feb february februar", "mar march märz mär mrz", "apr april",
        "may mai", "jun june juni", "jul july juli", "aug august", "sep sept september",
        "oct october okt oktober", "nov november", "dec december dez dezember",
    ), start=1)
    for name in names.split()
}
# fmt: on
_TIME = r"(?:[T ,]+(?P<time>\d{1,2}:\d\d(?::\d\d(?:\.\d{1,6})?)?)\s*(?P<zone>Z|[+-]\d\d:?\d\d)?)?"
_DATES = tuple(
    re.compile(pattern + _TIME, re.IGNORECASE)
    for pattern in (
        r"(?P<y>\d{4})([-/.])(?P<m>\d\d?)\2(?P<d>\d\d?)",
        r"(?P<y>\d{4})年(?P<m>\d\d?)月(?P<d>\d\d?)日",
        r"(?P<d>\d\d?)\. ?(?P<m>\d\d?)\. ?(?P<y>\d{4}|\d\d)",
        r"(?P<d>\d\d?)\.? (?P<name>[A-Za-zä]+)\.?,? (?P<y>\d{4})",
        r"(?P<name>[A-Za-zä]+)\.? (?P<d>\d\d?),? (?P<y>\d{4})",
    )
)
_EITHER = re.compile(r"(?P<a>\d\d?)([/-])(?P<b>\d\d?)\2(?P<y>\d{4}|\d\d)" + _TIME)
_LIST = re.compile(r"""\[\s*(?:(?:'[^']*'|"[^"]*")\s*(?:,\s*|(?=\])))*\]""")
_QUOTED = re.compile(r"""'([^']*)'|"([^"]*)\"""")


class Form(NamedTuple):
    """The values of a column in one form, and what was changed, in a few words; "" where nothing was."""

    values: list[Any]
    note: str = ""


def in_one_form(name: str, values: Sequence[Any], kind: str | None = None) -> Form:
    """The column `name`; values: of all rows, None where a row has none. kind: that it is known to have.

    A column that is not of strings alone, or in none of the known forms, stays as it is.
    """
    texts = [value for value in values if value is not None]
    if not texts or not all(isinstance(value, str) for value in texts):
        return Form(list(values))
    if all(_LIST.fullmatch(text) for text in texts):
        return Form([None if v is None else _listed(v) for v in values])
    if kind in ("text", "category", "id"):
        return Form(list(values))
    if kind == "tags" or name.strip().lower() in TAG_NAMES:
        return Form([None if v is None else _tags(v) for v in values])
    said = [text for text in texts if text.lower() not in MISSING]
    if said:
        for form in (_numbers, _dates):
            found = form(said)
            if found is not None:
                return _put(values, found)
    split = _separator(texts)
    if split is not None:
        return Form(
            [None if v is None else _split(v, split) for v in values], f"lists divided by {split}"
        )
    return Form(list(values), _doubt(said))


def _put(values: Sequence[Any], found: Form) -> Form:
    """The found values in their places; what says that a value is missing becomes None."""
    given = iter(found.values)
    put = [None if v is None or v.lower() in MISSING else next(given) for v in values]
    return Form(put, found.note)


def _numbers(texts: Sequence[str]) -> Form | None:
    """Numbers as Python spells them."""
    if all(_PLAIN.fullmatch(text) for text in texts):
        return Form(list(texts))
    comma = all(_COMMA_DECIMAL.fullmatch(text) for text in texts)
    point = all(_POINT_DECIMAL.fullmatch(text) for text in texts)
    if comma and (not point or any(map(_ONLY_COMMA_DECIMAL.fullmatch, texts))):
        found = [re.sub(rf"\.|{_SPACE}", "", text).replace(",", ".") for text in texts]
    elif point and (not comma or any(map(_ONLY_POINT_DECIMAL.fullmatch, texts))):
        found = [re.sub(rf",|{_SPACE}", "", text) for text in texts]
    else:
        return None
    changed = next((pair for pair in zip(texts, found, strict=True) if pair[0] != pair[1]), None)
    return Form(list(found), "" if changed is None else f"{changed[0]} is read as {changed[1]}")


def _dates(texts: Sequence[str]) -> Form | None:
    """Dates by ISO 8601."""
    if not all(any(sign.isdigit() for sign in text[:24]) and len(text) < 40 for text in texts):
        return None
    day_first = _day_first(texts)
    found = [_date(text, day_first) for text in texts]
    if None in found:
        return None
    changed = next((pair for pair in zip(texts, found, strict=True) if pair[0] != pair[1]), None)
    return Form(list(found), "" if changed is None else f"{changed[0]} is read as {changed[1]}")


def _day_first(texts: Sequence[str]) -> bool | None:
    """Whether 03/04/2026 is in April: by a number above 12. None where no value says so, or both are."""
    matches = [match for text in texts if (match := _EITHER.fullmatch(text))]
    first = any(int(match["a"]) > 12 for match in matches)
    second = any(int(match["b"]) > 12 for match in matches)
    return None if first == second else first


def _date(text: str, day_first: bool | None) -> str | None:
    """The date by ISO 8601; None for a string that is none."""
    match = next((match for form in _DATES if (match := form.fullmatch(text))), None)
    if match is not None:
        parts = match.groupdict()
        month = parts.get("m") or _MONTHS.get((parts.get("name") or "").lower())
        day = parts["d"]
    else:
        match = _EITHER.fullmatch(text)
        if match is None or day_first is None:
            return None
        day, month = (match["a"], match["b"]) if day_first else (match["b"], match["a"])
    if month is None:
        return None
    year = int(match["y"])
    if len(match["y"]) == 2:
        year += 1900 if year >= 69 else 2000  # as POSIX has it
    hour, _, rest = (match["time"] or "").partition(":")
    time = f"T{hour.zfill(2)}:{rest}" if hour else ""
    try:
        date = datetime.date(year, int(month), int(day)).isoformat()
        datetime.datetime.fromisoformat(date + time)
    except ValueError:
        return None
    return f"{date}{time}{match['zone'] or ''}"


def _tags(text: str) -> list[str]:
    """The tags of a cell that is known to hold some."""
    if _LIST.fullmatch(text):
        return _listed(text)
    separator = next((each for each in ";|,，、" if each in text), ";")
    return _split(text, separator)


def _listed(text: str) -> list[str]:
    """`['red', 'big']`, as pandas writes a list."""
    return ["".join(match) for match in _QUOTED.findall(text)]


def _split(text: str, separator: str) -> list[str]:
    return [part.strip() for part in text.split(separator) if part.strip()]


def _separator(texts: Sequence[str]) -> str | None:
    """What divides the tags of a column: short pieces that occur again and again."""
    for separator, words in ((";", 3), ("|", 3), (",", 2)):
        divided = [text for text in texts if separator in text]
        if 5 * len(divided) < len(texts) or len(divided) < 2:
            continue
        pieces = [_split(text, separator) for text in texts]
        flat = list(itertools.chain.from_iterable(pieces))
        if all(len(piece.split()) <= words for piece in flat) and 2 * len(set(flat)) <= len(flat):
            return separator
    return None


def _doubt(texts: Sequence[str]) -> str:
    """Why a column that looks like numbers or dates stays text."""
    if texts and all(_COMMA_DECIMAL.fullmatch(t) and _POINT_DECIMAL.fullmatch(t) for t in texts):
        return f"{_first(texts, ',')} can be read as a decimal or with thousands: write it in another way"
    either = [text for text in texts if _EITHER.fullmatch(text)]
    if either and all(_date(text, True) or _date(text, False) for text in texts):
        return f"{either[0]} can be day or month first: write dates as 2026-03-05"
    return ""


def _first(texts: Iterable[str], sign: str) -> str:
    return next((text for text in texts if sign in text), "")
