"""Recognises columns of dates in common notations: 5.3.2026, March 5, 2026, 2026年3月5日."""

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

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


@dataclass(frozen=True)
class DateForm:
    """The notation of a column of dates. day_first: whether 03/04/2026 is in April; None if no value is ambiguous."""

    day_first: bool | None = None

    def read(self, text: str) -> str | None:
        """The date in ISO 8601; None for a string that is not a date."""
        return _date(text.strip(), self.day_first)


class JudgedDates(NamedTuple):
    """either: the first value whose order of day and month cannot be decided; then form is None. "" if there is none."""

    form: DateForm | None
    either: str = ""


def judge_dates(
    texts: Sequence[str], most_bad: int, before: DateForm | None = None
) -> JudgedDates | None:
    """The form in which these values are dates; None if more than `most_bad` of them are not dates.

    before: the form of the same column in other rows, used if these values do not decide the order of day and
    month.
    """
    bad = 0
    for text in texts:
        bad += not (len(text) < 40 and any(sign.isdigit() for sign in text[:24]))
        if bad > most_bad:
            return None
    day_first = _day_first(texts)
    if day_first is None and before is not None:
        day_first = before.day_first
    bad = sum(_date(text, day_first) is None for text in texts)
    either = next((text for text in texts if _EITHER.fullmatch(text)), "")
    if either and day_first is None:
        known = sum(bool(_date(text, True) or _date(text, False)) for text in texts)
        return JudgedDates(None, either) if len(texts) - known <= most_bad else None
    return JudgedDates(DateForm(day_first)) if bad <= most_bad else None


def _day_first(texts: Sequence[str]) -> bool | None:
    """Decided by a number above 12. None if no value decides it, or if values contradict each other."""
    matches = [match for text in texts if (match := _EITHER.fullmatch(text))]
    first = any(int(match["a"]) > 12 for match in matches)
    second = any(int(match["b"]) > 12 for match in matches)
    return None if first == second else first


def _date(text: str, day_first: bool | None) -> str | None:
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
        year += 1900 if year >= 69 else 2000  # the rule of POSIX
    hour, _, rest = (match["time"] or "").partition(":")
    time = f"T{hour.zfill(2)}:{rest}" if hour else ""
    try:
        date = datetime.date(year, int(month), int(day)).isoformat()
        datetime.datetime.fromisoformat(date + time)
    except ValueError:
        return None
    return f"{date}{time}{match['zone'] or ''}"
