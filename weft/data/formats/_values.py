"""Parses the cells of a column, in any kind of table, as numbers, dates or lists if the whole column consists of
them."""

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple

from weft.core.errors import WeftError
from weft.core.missing import MISSING_WORDS
from weft.core.units import written
from weft.core.written_dates import DateForm, judge_dates
from weft.core.written_numbers import NumberForm, judge_numbers

TAG_NAMES = frozenset(
    ("tags", "keywords", "labels", "stichworte", "schlagworte", "schlagwörter", "标签")
)
FORMS: dict[str, NumberForm | DateForm] = {
    "decimal-comma": NumberForm("comma"),
    "decimal-point": NumberForm("point"),
    "day-first": DateForm(day_first=True),
    "month-first": DateForm(day_first=False),
}
"""What the user can declare about an ambiguous column."""
SOME_BAD, MOST_BAD = 0.1, 0.5
"""Maximum share of values that are none of the kind in a column of numbers or dates; the second applies if the user
declares the kind."""
_LIST = re.compile(r"""\[\s*(?:(?:'[^']*'|"[^"]*")\s*(?:,\s*|(?=\])))*\]""")
_OBJECTS = re.compile(r"\[\s*\{")
_QUOTED = re.compile(r"""'([^']*)'|"([^"]*)\"""")
_CODE = re.compile(r"(?=.*\d)(?=.*[^\W\d])[^\W_]+")


@dataclass(frozen=True)
class ColumnForm:
    """How the cells of a column are parsed.

    kind: of a column of strings that are all numbers or dates. said: the `--columns` value that makes new rows parse
    alike; "" if no table can be ambiguous. note: a remark for the user. unreadable: places of values that are none of
    the kind; with `kind` "", none of the kind `nearly`.
    """

    kind: Literal["", "number", "date", "tags"] = ""
    read: Callable[[str], Any] = str
    said: str = ""
    note: str = ""
    unreadable: tuple[int, ...] = ()
    nearly: str = ""

    def cell(self, value: Any) -> Any:
        """Returns the value of a cell; None if it is empty or none of the kind."""
        if not isinstance(value, str):
            return value
        text = value.strip()
        if not text or (self.kind in ("number", "date") and is_word_for_missing(text)):
            return None
        return self.read(text)


def is_word_for_missing(text: str) -> bool:
    """Whether the text means a missing value in a column of numbers or dates."""
    return text.lower() in MISSING_WORDS


def form_of(
    name: str, values: Sequence[Any], kind: str | None = None, before: str = ""
) -> ColumnForm:
    """Determines how the column `name` is parsed.

    values: of all rows, None where a row has none. kind: the known kind, if any. before: the column's form (of FORMS)
    in a run's rows; it decides if these rows are ambiguous.

    A column that is not of strings, or has no known form, stays as it is. Raises WeftError if most values are none of
    the kind, or a number has several units.
    """
    there = {place: value for place, value in enumerate(values) if value is not None}
    texts = {n: v.strip() for n, v in there.items() if isinstance(v, str) and v.strip()}
    others = [v for v in there.values() if not isinstance(v, str)]
    if not texts or not all(isinstance(v, int | float) and not isinstance(v, bool) for v in others):
        return ColumnForm()
    if not others and all(map(_LIST.fullmatch, texts.values())):
        return ColumnForm("tags", _listed)
    if kind in ("text", "category", "id"):
        return ColumnForm()
    if kind == "tags" or name.strip().lower() in TAG_NAMES:
        return ColumnForm("tags", _tags)
    said = {n: text for n, text in texts.items() if not is_word_for_missing(text)}
    if said:
        asked = _Asked(name, said, len(others), kind, FORMS.get(before))
        found = _numbers(asked) or _dates(asked)
        if found is not None:
            return found
    split = None if others else _separator(list(texts.values()))
    if split is not None:
        return ColumnForm(
            "tags", partial(_split, separator=split), note=f"lists divided by {split}"
        )
    return ColumnForm()


class _Asked(NamedTuple):
    """A column that may hold numbers or dates. texts: place -> value. others: number of values that are numbers
    already. kind: the known kind, if any. before: the column's form in other rows."""

    name: str
    texts: Mapping[int, str]
    others: int
    kind: str | None
    before: NumberForm | DateForm | None

    @property
    def total(self) -> int:
        return len(self.texts) + self.others

    @property
    def most_bad(self) -> int:
        return int(MOST_BAD * self.total)


def _numbers(asked: _Asked) -> ColumnForm | None:
    name, kind, texts = asked.name, asked.kind, list(asked.texts.values())
    if kind not in (None, "number", "decimal-comma", "decimal-point"):
        return None
    before = asked.before if isinstance(asked.before, NumberForm) else None
    judged = judge_numbers(texts, asked.most_bad, before)
    if judged is None:
        if kind is not None:
            raise _most(name, [t for t in texts if written(t) is None] or texts, "number")
        return None
    if len(judged.units) > 1:
        counts = " and ".join(f"{unit} ({count:,})" for unit, count in judged.units.most_common(3))
        if kind is not None:
            raise WeftError(
                f"column '{name}': values are in several units, {counts}: write all in one"
            )
        return ColumnForm(note=f"values are in several units, {counts}: write all in one")
    form = FORMS.get(kind or "") or judged.form
    if form is None:
        comma = next((text for text in texts if "," in text), "")
        return ColumnForm(
            note=f"{comma} can be read as a decimal or with thousands: say it by --columns {name}=decimal-comma or "
            f"{name}=decimal-point"
        )
    assert isinstance(form, NumberForm)
    said = {"comma": "decimal-comma", "point": "decimal-point"}.get(form.decimal, "")
    return _of_kind(asked, form, "number", said)


def _dates(asked: _Asked) -> ColumnForm | None:
    name, kind, texts = asked.name, asked.kind, list(asked.texts.values())
    if kind not in (None, "date", "day-first", "month-first") or asked.others:
        return None
    before = asked.before if isinstance(asked.before, DateForm) else None
    judged = judge_dates(texts, asked.most_bad, before)
    if judged is None:
        if kind is not None:
            none = [t for t in texts if not (DateForm(True).read(t) or DateForm(False).read(t))]
            raise _most(name, none or texts, "date")
        return None
    form = FORMS.get(kind or "") or judged.form
    if form is None:
        return ColumnForm(
            note=f"{judged.either} can be day or month first: say it by --columns {name}=day-first or "
            f"{name}=month-first"
        )
    assert isinstance(form, DateForm)
    said = {True: "day-first", False: "month-first", None: ""}[form.day_first]
    return _of_kind(asked, form, "date", said)


def _of_kind(
    asked: _Asked, form: NumberForm | DateForm, kind: Literal["number", "date"], said: str
) -> ColumnForm | None:
    """Returns the form, unless too many values are none of the kind."""
    read = {n: form.read(text) for n, text in asked.texts.items()}
    bad = tuple(n for n, value in read.items() if value is None)
    unread = [asked.texts[n] for n in bad]
    if asked.kind is None and any(_CODE.fullmatch(t) and written(t) is None for t in unread):
        return None  # V27 among 250.8: codes, not numbers. 1e400 is a number, but too large
    if asked.kind is None and len(bad) > SOME_BAD * asked.total:
        few = len(bad) < asked.most_bad
        return ColumnForm(unreadable=bad, nearly=kind) if few else None
    if len(bad) > asked.most_bad:
        raise _most(asked.name, [asked.texts[n] for n in bad], kind)
    changed = next((n for n, value in read.items() if value not in (None, asked.texts[n])), None)
    note = "" if changed is None else f"{asked.texts[changed]} is read as {read[changed]}"
    return ColumnForm(kind, form.read, said, note, bad)


def _most(name: str, texts: Sequence[str], kind: str) -> WeftError:
    return WeftError(f"column '{name}': most values are no {kind}s, such as '{texts[0]:.40}'")


def _tags(text: str) -> list[str]:
    """Returns the tags of a cell that is known to hold tags."""
    if _LIST.fullmatch(text):
        return _listed(text)
    separator = next((each for each in ";|,，、" if each in text), ";")
    return _split(text, separator)


def _listed(text: str) -> list[str]:
    """Parses `['red', 'big']`, as pandas writes a list."""
    return ["".join(match) for match in _QUOTED.findall(text)]


def _split(text: str, separator: str) -> list[str]:
    return [part.strip() for part in text.split(separator) if part.strip()]


def _separator(texts: Sequence[str]) -> str | None:
    """Returns the separator of a column of tags: short pieces that occur repeatedly. JSON lists of objects are no
    tags."""
    if any(map(_OBJECTS.match, texts)):
        return None
    for separator, words in ((";", 3), ("|", 3), (",", 2)):
        divided = [text for text in texts if separator in text]
        if 5 * len(divided) < len(texts) or len(divided) < 2:
            continue
        pieces = [_split(text, separator) for text in texts]
        flat = list(itertools.chain.from_iterable(pieces))
        if all(len(piece.split()) <= words for piece in flat) and 2 * len(set(flat)) <= len(flat):
            return separator
    return None
