"""Dates as numbers of days, and back."""

import datetime

import pytest

from weft.core.dates import date_text, days_of
from weft.core.errors import WeftError


def test_days_since_1970() -> None:
    assert days_of("1970-01-02") == days_of(datetime.date(1970, 1, 2)) == 1
    assert days_of(" 1969-12-31T12:00 ") == -0.5
    assert days_of(datetime.datetime(1970, 1, 1, 6)) == 0.25
    assert days_of("1970-01-01T02:00+02:00") == 0
    assert date_text(days_of("2026-03-05T23:59")) == "2026-03-05"


def test_the_ends_of_the_calendar() -> None:
    first, last = days_of("0001-01-01T00:00+14:00"), days_of("9999-12-31T23:00-10:00")
    assert first == days_of("0001-01-01") - 14 / 24
    assert (date_text(first), date_text(last)) == ("0001-01-01", "9999-12-31")


@pytest.mark.parametrize("raw", ["", "5 March", "2026-13-01", None, 3, [], True])
def test_what_is_no_date(raw: object) -> None:
    with pytest.raises(WeftError, match="expected a date such as 2026-03-05"):
        days_of(raw)


def test_a_day_that_lost_some_seconds_is_still_that_day() -> None:
    days = days_of("2024-12-24")
    assert date_text(days - 1e-4) == date_text(days + 1e-4) == "2024-12-24"
