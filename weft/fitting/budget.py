"""The rows that the time allows: a sample if reading the features of all rows would take too long."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from weft.core.documents import read_mapping, write_checked
from weft.core.errors import WeftError
from weft.core.media import Media
from weft.data.column_kinds import MEDIA
from weft.fitting.choice import source_of
from weft.fitting.features import seconds_per_row
from weft.fitting.folds import Rows
from weft.fitting.settings import FitSettings
from weft.fitting.stamps import stamp_of
from weft.fitting.table import Ints, Table
from weft.training import distributed

SHARE = 0.5
"""Share of the remaining time for reading features."""
FEW, LEAST, CHUNK = 2000, 200, 192
"""Tables of at most FEW rows are read completely. At least LEAST rows are always read. CHUNK rows are timed."""
SLOW = (*MEDIA, "text")
"""Kinds of columns whose features take long."""
KEPT = "rows.json"


def affordable(
    rows: int, seconds_a_row: float, seconds: float, seconds_for_all: float | None = None
) -> int:
    """The number of rows whose features can be read within SHARE of the seconds; at least LEAST.

    seconds_for_all: time for all rows. It is less than rows * seconds_a_row if rows share pictures.
    """
    total = rows * seconds_a_row if seconds_for_all is None else seconds_for_all
    if rows <= FEW or total <= SHARE * seconds:
        return rows
    return min(rows, max(LEAST, int(SHARE * seconds / seconds_a_row)))


def draw(clusters: Ints, strata: Ints, count: int, seed: int) -> Rows:
    """Samples `count` of the rows and returns their indices in order. clusters, strata: (N,) as in `grouped_folds`.

    Each stratum keeps its share, and at least one row if `count` allows it. Within a stratum, every cluster gives one
    row before any gives a second, so that the sample has as many groups as possible.
    """
    drawn = np.random.default_rng(seed).permutation(len(clusters))
    turn, _ = _places(clusters, (drawn,))
    place, size = _places(strata, (drawn, turn))
    return np.sort(np.lexsort((drawn, place / size))[:count])


def _places(of: Ints, keys: tuple[Ints, ...]) -> tuple[Ints, Ints]:
    """For each row (N,) its rank among the rows with the same number in `of`, and how many these are.

    keys: rows are sorted by the last key first, as in numpy.lexsort.
    """
    order = np.lexsort((*keys, of))
    _, begins, inverse, sizes = np.unique(
        of[order], return_index=True, return_inverse=True, return_counts=True
    )
    places, counts = np.empty(len(of), np.int64), np.empty(len(of), np.int64)
    places[order] = np.arange(len(of)) - begins[inverse]
    counts[order] = sizes[inverse]
    return places, counts


def rows_in_time(
    table: Table,
    used: Mapping[str, str],
    settings: FitSettings,
    kept: Path,
    *,
    deadline: float,
    clock: Callable[[], float] = time.monotonic,
) -> int:
    """The number of rows that can be read in time, estimated from the speed of a first chunk.

    used: column -> its kind. kept: file for the number, so that the same command continues with the same rows. clock:
    returns seconds.
    """
    slow = {name: kind for name, kind in used.items() if kind in SLOW}
    if len(table) <= FEW or not slow:
        return len(table)
    stamp = stamp_of(table, used, settings, settings.minutes)
    known = _kept(kept, stamp)
    if known is not None:
        return known
    every = np.zeros(len(table), np.int64)
    chunk = table.take(draw(np.arange(len(table)), every, CHUNK, settings.seed).tolist())
    device = distributed.device("auto")
    took = {
        name: seconds_per_row(chunk, name, source_of(kind, settings), device=device, clock=clock)
        for name, kind in slow.items()
    }
    total = sum(seconds * different(table, name) for name, seconds in took.items())
    count = affordable(len(table), sum(took.values()), deadline - clock(), total)
    write_checked(kept, {"stamp": stamp, "rows": count})
    return count


def different(table: Table, name: str) -> int:
    """Number of different pictures in the column, since the cache reads each once; for other columns, of rows."""
    values = [sample.items.get(name) for sample in table.samples]
    pictures = {value for value in values if isinstance(value, Media)}
    return len(pictures) + sum(not isinstance(value, Media) for value in values)


def _kept(path: Path, stamp: str) -> int | None:
    try:
        values = read_mapping(path)
        return int(values["rows"]) if values["stamp"] == stamp else None
    except (WeftError, KeyError, TypeError, ValueError):
        return None  # missing or truncated: measure again


def part(table: Table, strata: Ints, count: int, seed: int) -> Rows | None:
    """Samples `count` of the rows so that splits keep their shares; None if these are all rows. strata: (N,)."""
    if count >= len(table):
        return None
    _, splits = np.unique([str(split) for split in table.splits], return_inverse=True)
    return draw(table.clusters, strata * (int(splits.max()) + 1) + splits, count, seed)


def said_of_part(count: int, rows: int) -> str:
    """The note that only `count` of `rows` rows are used."""
    return (
        f"{count:,} of {rows:,} rows are used, sampled at random: there is no time to read the features of "
        "all (a larger --minutes uses more)"
    )
