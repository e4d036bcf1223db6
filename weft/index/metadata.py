"""Converts columns of rows to metadata of entries."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from weft.core.cells import is_number, label_of, number_of
from weft.core.errors import DataError, WeftError, brief, unknown_name
from weft.core.missing import MISSING_WORDS, is_missing
from weft.data.formats import Dataset
from weft.data.schema import infer
from weft.index.records import ColumnType, Scalar

LONGEST_DEFAULT = 80
"""Maximum length, in characters, of the values of a column that becomes metadata by default."""
BY_DEFAULT = ("number", "category", "date")
"""Kinds of columns that become metadata by default."""


class Taken(NamedTuple):
    """A column that becomes metadata, and its type."""

    name: str
    type: ColumnType


def taken_columns(
    dataset: Dataset,
    names: Sequence[str] | None,
    streams: Sequence[str],
    known: Mapping[str, ColumnType] | None = None,
) -> tuple[Taken, ...]:
    """The columns `names`; None: the columns of numbers, categories and dates that are short and not a stream of
    the model.

    known: types of columns that the index already has; they are used if the rows have them. Raises WeftError for a
    name that no row has, and for a column of pictures, lists and the like.
    """
    schema = infer(dataset)
    known = known or {}
    if names is None:
        names = [
            name
            for name, column in schema.columns.items()
            if name in known
            or (
                column.kind in BY_DEFAULT
                and name not in streams
                and all(len(example) <= LONGEST_DEFAULT for example in column.examples)
            )
        ]
    values: dict[str, list[Any]] = {name: [] for name in names}
    for name in names:
        if name not in schema.columns:
            raise unknown_name("column of the rows", name, schema.columns)
    for row in range(len(dataset) if names else 0):
        try:
            items = dataset[row].items
        except DataError:  # the error policy of those that embed the rows says what becomes of it
            continue
        for name, found in values.items():
            if not _is_none(value := items.get(name)):
                found.append(value)
    return tuple(Taken(name, known.get(name) or _type(name, values[name])) for name in names)


def _type(name: str, values: Sequence[Any]) -> ColumnType:
    if values and all(isinstance(value, bool | np.bool_) for value in values):
        return "bool"
    if values and all(map(is_number, values)):
        return "number"
    for value in values:
        if not isinstance(value, str | bool | int | float | np.generic):
            raise WeftError(
                f"column '{name}' holds a {type(value).__name__}, expected metadata: text, numbers, true or false"
            )
    return "text"


def metadata_of(items: Mapping[str, Any], columns: Sequence[Taken]) -> dict[str, Scalar | None]:
    """The row's values in these columns."""
    found: dict[str, Scalar | None] = {}
    for name, kind in columns:
        value = items.get(name)
        if _is_none(value):
            continue
        if kind == "number":
            number = _number(name, value)
            found[name] = int(number) if number.is_integer() and abs(number) < 2**53 else number
        elif kind == "bool":
            if not isinstance(value, bool | np.bool_):
                raise WeftError(f"column '{name}' is {brief(value)}, expected true or false")
            found[name] = bool(value)
        else:
            found[name] = _text(value)
    return found


def _number(name: str, value: Any) -> float:
    try:
        return number_of(value)
    except WeftError as error:
        raise WeftError(f"column '{name}' {error}") from None


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else label_of(value)


def _is_none(value: Any) -> bool:
    return is_missing(value) or (isinstance(value, str) and value.strip().lower() in MISSING_WORDS)
