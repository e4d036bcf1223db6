"""Recognises columns of numbers in common notations: 1.234,5, 1,234.5, 1 234,5, each with a unit.

All values of a column are judged together, since 1.234 alone can be read in two ways.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from weft.core.units import Written, written

Decimal = Literal["plain", "point", "comma"]
_PLAIN = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")
_SPACE = "[ \u00a0\u2009\u202f'’]"
_COMMA = re.compile(rf"[+-]?(?:\d{{1,3}}(?:(?:\.|{_SPACE})\d{{3}})+|\d+)(?:,\d+)?")
_POINT = re.compile(rf"[+-]?(?:\d{{1,3}}(?:(?:,|{_SPACE})\d{{3}})+|\d+)(?:\.\d+)?")
_PATTERNS = {"plain": _PLAIN, "point": _POINT, "comma": _COMMA}
_GROUPS = {"point": re.compile(rf",|{_SPACE}"), "comma": re.compile(rf"\.|{_SPACE}")}
_ONLY_COMMA = re.compile(r".*\..*,.*|.*,(?!\d{3}$)\d+|[+-]?0\d*,\d+|[+-]?\d{4,},\d+")
_ONLY_POINT = re.compile(r".*,.*\..*|.*,.*,.*")


@dataclass(frozen=True)
class NumberForm:
    """The notation of a column of numbers. decimal: the decimal separator; `plain`: Python's notation, without
    groups of digits.
    """

    decimal: Decimal

    def read(self, text: str) -> str | None:
        """The number in Python's notation, followed by its unit; None if the text is not a number in this form."""
        found = written(text)
        if found is None or _PATTERNS[self.decimal].fullmatch(found.number) is None:
            return None
        number = found.number
        if self.decimal != "plain":
            number = _GROUPS[self.decimal].sub("", number).replace(",", ".")
        if not math.isfinite(float(number)):  # such as 1e400
            return None
        return f"{number} {found.unit}".rstrip()


@dataclass(frozen=True)
class JudgedNumbers:
    """form: None if the values can be read both with a decimal point and with a comma. units: how many values have
    each unit.
    """

    form: NumberForm | None
    units: Counter[str]


def judge_numbers(
    texts: Sequence[str], most_bad: int, before: NumberForm | None = None
) -> JudgedNumbers | None:
    """The form in which these values are numbers; None if more than `most_bad` of them are not numbers.

    before: the form of the same column in other rows, used if it reads as many values as any other form.
    """
    found: list[Written] = []
    for place, text in enumerate(texts):
        parts = written(text) if len(text) < 40 else None
        if parts is not None:
            found.append(parts)
        elif place + 1 - len(found) > most_bad:
            return None
    units = Counter(each.unit for each in found if each.unit)
    numbers = [each.number for each in found]
    if not numbers:
        return None
    count = {name: sum(map(bool, map(p.fullmatch, numbers))) for name, p in _PATTERNS.items()}
    best = max(count.values())
    if len(texts) - best > most_bad:
        return None
    if before is not None and count[before.decimal] == best:
        return JudgedNumbers(before, units)
    return JudgedNumbers(_form(numbers, count, best), units)


def _form(numbers: Sequence[str], count: dict[str, int], best: int) -> NumberForm | None:
    if count["plain"] == best:
        return NumberForm("plain")
    if count["comma"] == count["point"]:
        comma = any(map(_ONLY_COMMA.fullmatch, numbers))
        point = any(map(_ONLY_POINT.fullmatch, numbers))
        if comma == point:
            return None
        return NumberForm("comma" if comma else "point")
    return NumberForm("comma" if count["comma"] == best else "point")
