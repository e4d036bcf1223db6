"""Dates and times as numbers: days since 1970-01-01, in UTC if a time zone is given."""

import datetime
import re
from typing import Any

from weft.core.errors import WeftError, brief

DAY = 86_400.0
YEAR, WEEK = 365.2425, 7.0
"""Cycles, in days, that describe a date besides the day itself."""
_EPOCH = datetime.datetime(1970, 1, 1)


def days_of(raw: Any) -> float:
    """Days since 1970-01-01 of a date, a time, or a string in ISO 8601 (2026-03-05, 2026-03-05T14:30).

    Raises WeftError for anything else.
    """
    found = raw
    if isinstance(raw, str):
        try:
            found = datetime.datetime.fromisoformat(raw.strip())
        except ValueError:
            found = None
    if isinstance(found, datetime.datetime):
        # Not astimezone: near the ends of the years 1 and 9999 it would leave Python's calendar and raise.
        shift = found.utcoffset() or datetime.timedelta()
        return (found.replace(tzinfo=None) - _EPOCH - shift).total_seconds() / DAY
    if isinstance(found, datetime.date):
        return float((found - _EPOCH.date()).days)
    raise WeftError(f"is {brief(raw)}, expected a date such as 2026-03-05")


def is_date(value: Any) -> bool:
    """Whether the value is a date or a time, or a string in ISO 8601 that begins like 2026-03-05."""
    if isinstance(value, str) and not re.match(r"\d{4}-\d\d-\d\d", value.strip()):
        return False
    try:
        days_of(value)
    except WeftError:
        return False
    return True


def date_text(days: float) -> str:
    """Days since 1970-01-01 as an ISO 8601 date, limited to the first and last day of Python's calendar.

    A number that was shifted and scaled in float32 is some seconds off, so it is rounded to the minute.
    """
    first, last = (days_of(one) for one in (datetime.date.min, datetime.date.max))
    minutes = round(min(max(days, first), last) * 24 * 60)
    return (_EPOCH + datetime.timedelta(minutes=minutes)).date().isoformat()
