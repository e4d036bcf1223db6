"""Filters by metadata: the rows that may be found, and the columns."""

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from weft.core.dates import is_date
from weft.core.errors import WeftError, brief, unknown_name
from weft.index.records import Column, Scalar, type_of

Where = Mapping[str, Scalar | Sequence[Scalar] | Mapping[str, Scalar]]
"""Column -> the value, one of several values, or {"min": ..., "max": ...}, both inclusive. All must hold."""
MOST_VALUES = 1000
"""Maximum number of values of a column in a filter."""
SHOWN_VALUES = 50
"""Maximum number of values of a column that are listed, the most frequent first."""


def allowed_numbers(connection: sqlite3.Connection, where: Where) -> np.ndarray:
    """int64, ascending: the numbers of the rows that match the filter.

    Raises WeftError for a column that no entry has, for values of another type than the column's, and for a range of
    dates whose bounds are not dates.
    """
    known = _columns(connection)
    found: np.ndarray | None = None
    for name, wanted in where.items():
        if name not in known:
            raise unknown_name("column", name, known)
        number, kind = known[name]
        condition, values = _condition(name, kind, wanted)
        if isinstance(wanted, Mapping) and kind == "text" and _of_dates(connection, number):
            _check_dates(name, values)
        rows = connection.execute(
            f"SELECT number FROM cells WHERE column = ? AND {condition}",
            (number, *values),
        )
        numbers = np.sort(np.fromiter((row[0] for row in rows), np.int64))
        found = numbers if found is None else np.intersect1d(found, numbers, assume_unique=True)
    return np.zeros(0, np.int64) if found is None else found


def _condition(name: str, kind: str, wanted: Any) -> tuple[str, list[Any]]:
    """SQL with a placeholder for each value."""
    if isinstance(wanted, Mapping):
        if not wanted or wanted.keys() - {"min", "max"} or kind == "bool":
            raise WeftError(
                f"the filter on column '{name}' ({kind}) is {brief(dict(wanted))}, expected a value, a list of "
                "values, or min and max of numbers or text"
            )
        signs = {"min": ">=", "max": "<="}
        parts = [f"value {signs[end]} ?" for end in wanted]
        return " AND ".join(parts), [_checked(name, kind, value) for value in wanted.values()]
    several = list(wanted) if isinstance(wanted, list | tuple | set | frozenset) else [wanted]
    if len(several) > MOST_VALUES:
        raise WeftError(
            f"the filter on column '{name}' has {len(several):,} values, expected at most {MOST_VALUES:,}"
        )
    places = ", ".join("?" * len(several))
    return f"value IN ({places})", [_checked(name, kind, value) for value in several]


def _checked(name: str, kind: str, value: Any) -> Any:
    if type_of(value, f"column '{name}'") != kind:
        raise WeftError(f"the filter on column '{name}' is {brief(value)}, expected a {kind}")
    return value


def _of_dates(connection: sqlite3.Connection, number: int) -> bool:
    """Whether a column of texts holds dates: the first and the last text are dates, in the order of texts."""
    ends = connection.execute(
        "SELECT min(value), max(value) FROM cells WHERE column = ?", (number,)
    ).fetchone()
    return all(map(is_date, ends))


def _check_dates(name: str, bounds: Sequence[str]) -> None:
    """Raises WeftError for a bound that is not a date: as a text it would exclude other rows than meant."""
    for bound in bounds:
        if not is_date(bound):
            raise WeftError(
                f"the filter on column '{name}' is {brief(bound)}, expected a date such as 2026-03-05"
            )


def columns(connection: sqlite3.Connection) -> tuple[Column, ...]:
    """The columns of the present entries, in the order in which they were added."""
    found = []
    for name, (number, kind) in _columns(connection).items():
        rows = connection.execute(
            "SELECT value, count(*) FROM cells WHERE column = ? GROUP BY value"
            " ORDER BY count(*) DESC, value LIMIT ?",
            (number, SHOWN_VALUES),
        ).fetchall()
        distinct = len(rows)
        if distinct == SHOWN_VALUES:
            (distinct,) = connection.execute(
                "SELECT count(DISTINCT value) FROM cells WHERE column = ?", (number,)
            ).fetchone()
        values = tuple((bool(v) if kind == "bool" else v, count) for v, count in rows)
        least = most = None
        if kind == "number":
            least, most = connection.execute(
                "SELECT min(value), max(value) FROM cells WHERE column = ?", (number,)
            ).fetchone()
        if values:
            found.append(Column(name, kind, values, least, most, distinct))
    return tuple(found)


def _columns(connection: sqlite3.Connection) -> dict[str, tuple[int, Any]]:
    """name -> number and type."""
    rows = connection.execute("SELECT name, number, type FROM columns ORDER BY number")
    return {name: (number, kind) for name, number, kind in rows}
