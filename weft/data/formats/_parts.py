"""Columns that select a part of a recording: `start` and `end`, in seconds or as h:m:s."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from weft.core.errors import DataError, WeftError
from weft.core.media import RECORDINGS, Media
from weft.core.missing import is_missing

STARTS = ("start", "start_time", "start_seconds", "begin")
ENDS = ("end", "end_time", "end_seconds", "stop")
TIMES = 0.9
"""Minimum share of a column's values that must be times. Below it, the column is an ordinary one."""


@dataclass(frozen=True)
class PartColumns:
    """The columns of a table with starts and ends; None if it has none."""

    start: str | None
    end: str | None

    @classmethod
    def of(cls, rows: Sequence[Mapping[str, Any]]) -> "PartColumns":
        """Finds them in a table with recordings, judged by its first rows."""
        return cls(_column(rows, STARTS), _column(rows, ENDS))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name in (self.start, self.end) if name is not None)

    def part(self, row: Mapping[str, Any], source: str) -> tuple[float, float | None] | None:
        """Returns start and end in seconds; None if the row means the whole recording. Raises DataError if a value is
        no time."""
        start = _seconds(row, self.start, source)
        end = _seconds(row, self.end, source)
        if end is not None and end <= (start or 0.0):
            raise DataError(
                f"column '{self.end}' is {end:g} s, expected more than the start, {start or 0.0:g} s",
                source=source,
            )
        return None if start is None and end is None else (start or 0.0, end)


def cut(value: Media | list[Media], part: tuple[float, float | None], source: str) -> Any:
    """Returns the part of a recording; any other value unchanged. Raises DataError."""
    if isinstance(value, list) or value.kind not in RECORDINGS:
        return value
    try:
        return value.part(*part)
    except WeftError as error:
        raise DataError(str(error), source=source) from None


def _column(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> str | None:
    for name in names:
        given = [row[name] for row in rows if not is_missing(row.get(name))]
        times = sum(_time(value) is not None for value in given)
        if given and times >= TIMES * len(given):
            return name
    return None


def _seconds(row: Mapping[str, Any], name: str | None, source: str) -> float | None:
    value = None if name is None else row.get(name)
    if is_missing(value):
        return None
    found = _time(value)
    if found is None:
        raise DataError(
            f"column '{name}' holds {value!r:.40}, expected seconds, or h:m:s", source=source
        )
    return found


def _time(value: Any) -> float | None:
    """Returns the seconds of 12.5, "12.5", "12,5" or "0:01:05.2"; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        parts = [float(part.replace(",", ".")) for part in str(value).split(":")]
    except ValueError:
        return None
    seconds = sum(part * 60.0**place for place, part in enumerate(reversed(parts)))
    fits = len(parts) <= 3 and math.isfinite(seconds) and all(part >= 0 for part in parts)
    return seconds if fits else None
