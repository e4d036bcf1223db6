"""Errors by slice: one metric for the rows with each value of a column."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from weft.core.cells import is_number, number_of
from weft.core.dates import date_text, days_of
from weft.core.errors import DataError, unknown_names
from weft.core.missing import is_missing
from weft.core.text import words
from weft.data.column_kinds import kind_of_column
from weft.data.formats import Dataset, columns_of
from weft.evaluation.bootstrap import Bootstrap
from weft.evaluation.metric import PERCENT, Metric
from weft.inference.diagnostics import Slice, Slices

MOST_VALUES = 12
"""Maximum number of values of a column with a slice each; the rows of all other values are one more slice."""
NO_VALUE, OTHERS = "no value", "others"
QUARTILES = (0.25, 0.5, 0.75)


@dataclass(frozen=True)
class Measured:
    """N rows: a metric's value for each, not yet in its unit, their groups, and their row numbers."""

    metric: Metric
    values: Tensor
    groups: Tensor
    rows: Sequence[int]


def slices(
    measured: Measured, dataset: Dataset, columns: Sequence[str], bootstrap: Bootstrap
) -> tuple[Slices, ...]:
    """Slices by each of the columns: numbers and dates are cut at their quartiles, texts by their number of words;
    tags give a slice for each tag, files for whether they are present. A column that the data do not have gives
    none.
    """
    if not columns:
        return ()
    items = [dataset[row].items for row in measured.rows]
    known = {*columns_of(dataset).items, *(name for row in items for name in row)}
    return tuple(
        _sliced(measured, column, [row.get(column) for row in items], bootstrap)
        for column in columns
        if column in known
    )


def require_columns(columns: Sequence[str], dataset: Dataset) -> None:
    """Raises WeftError for slicing columns that the data do not have."""
    known = set(columns_of(dataset).items)
    if known.issuperset(columns):
        return
    for row in range(len(dataset)):
        with suppress(DataError):
            known |= dataset[row].items.keys()
    if unknown := [column for column in columns if column not in known]:
        raise unknown_names("column of slices", unknown, known)


def _sliced(measured: Measured, column: str, values: Sequence[Any], bootstrap: Bootstrap) -> Slices:
    names, of, distinct = _places(column, values)
    rows = torch.tensor([row for row, _ in of])
    places = [place for _, place in of]
    estimates = bootstrap.means_by(
        measured.values[rows].numpy(),
        places,
        len(names),
        measured.groups[rows].numpy(),
        shares=measured.metric.unit == PERCENT,
    )
    counts = np.bincount(places, minlength=len(names)).tolist()
    found = zip(names, counts, estimates, strict=True)
    return Slices(
        column,
        tuple(Slice(name, count, measured.metric.score(one)) for name, count, one in found),
        distinct,
    )


def _places(column: str, values: Sequence[Any]) -> tuple[list[str], list[tuple[int, int]], int]:
    """The names of the slices, (row, slice) of each row, and the number of different values."""
    there = [row for row, value in enumerate(values) if not is_missing(value)]
    kind = kind_of_column(column, [values[row] for row in there]).kind
    if kind in ("id", "category") and _is_many_numbers([values[row] for row in there]):
        kind = "number"
    match kind:
        case "number":
            numbers = {row: number_of(values[row]) for row in there}
            names, of, distinct = _ranges(numbers, "{:.4g}".format)
        case "date":
            names, of, distinct = _ranges({row: days_of(values[row]) for row in there}, date_text)
        case "text":
            lengths = {row: float(len(words(str(values[row])))) for row in there}
            names, of, distinct = _ranges(lengths, "{:g} words".format)
        case "tags":
            names, of, distinct = _named({row: list(values[row]) for row in there})
        case "image" | "images" | "audio" | "video":
            names, of, distinct = [kind], [(row, 0) for row in there], 1
        case _:
            named = {row: [str(values[row])] for row in there}
            names, of, distinct = _named(named)
    if len(there) < len(values):
        missing = set(range(len(values))).difference(there)
        of = [*of, *((row, len(names)) for row in sorted(missing))]
        names = [*names, NO_VALUE]
    return names, of, distinct


def _is_many_numbers(values: Sequence[Any]) -> bool:
    """Whether they are numbers, and too many for one slice each."""
    return all(map(is_number, values)) and len({number_of(v) for v in values}) > MOST_VALUES + 1


def _named(tags: dict[int, list[str]]) -> tuple[list[str], list[tuple[int, int]], int]:
    """The most frequent values; a row may have several."""
    counts = Counter(name for found in tags.values() for name in found)
    ordered = sorted(counts, key=lambda name: (-counts[name], name))
    shown = ordered[: MOST_VALUES if len(ordered) > MOST_VALUES + 1 else None]
    place = {name: number for number, name in enumerate(shown)}
    of = sorted(
        {(row, place.get(name, len(shown))) for row, found in tags.items() for name in found}
    )
    return [*shown, *([OTHERS] if len(ordered) > len(shown) else [])], of, len(ordered)


def _ranges(
    numbers: Mapping[int, float], shown: Callable[[float], str]
) -> tuple[list[str], list[tuple[int, int]], int]:
    """The numbers of rows cut at their quartiles; a slice may be missing where many are equal."""
    values_N = np.array(list(numbers.values()), dtype=np.float64)
    cuts: NDArray[np.float64] = np.unique(np.quantile(values_N, QUARTILES, method="lower"))
    place_N = np.searchsorted(cuts, values_N, side="left")
    there, place_N = np.unique(place_N, return_inverse=True)
    names = []
    for part in range(len(there)):
        of_part = values_N[place_N == part]
        low, high = shown(float(of_part.min())), shown(float(of_part.max()))
        names.append(low if low == high else f"{low} – {high}")
    of = list(zip(numbers, place_N.tolist(), strict=True))
    return names, of, len(np.unique(values_N))
