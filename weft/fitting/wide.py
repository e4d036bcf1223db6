"""Tables with thousands of columns: only as many are read as the time allows."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from weft.core.documents import read_mapping, write_checked
from weft.core.errors import WeftError
from weft.core.places import digest_of
from weft.fitting.budget import SLOW
from weft.fitting.choice import source_of
from weft.fitting.features import compute
from weft.fitting.settings import FitSettings
from weft.fitting.table import Table
from weft.training import distributed

MANY, LEAST, TIMED = 500, 100, 8
"""Up to MANY columns, all are read. At least LEAST are always read. TIMED columns are timed."""
SHARE = 0.25
"""Share of the remaining time for reading columns. Their models and their importance take as long again."""
KEPT = "columns.json"


def columns_in_time(
    table: Table,
    used: Mapping[str, str],
    settings: FitSettings,
    kept: Path,
    *,
    deadline: float,
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, str]:
    """The columns that can be read in time, each with its kind, estimated from the speed of the first few.

    Numbers, dates, categories and tags are sampled with the seed, as many as fit. All other columns stay. used: column
    -> its kind. kept: file for the number of columns, so that the same command continues with the same columns. clock:
    returns seconds.
    """
    cells = [name for name, kind in used.items() if kind not in SLOW]
    if len(cells) <= MANY:
        return dict(used)
    stamp = digest_of(repr([len(table), dict(used), settings]).encode())
    count = _kept(kept, stamp)
    if count is None:
        began, every, device = clock(), np.arange(len(table)), distributed.device("auto")
        for name in cells[:TIMED]:
            compute(table, name, source_of(used[name], settings), every, device=device)
        each = (clock() - began) / TIMED
        count = max(LEAST, int(SHARE * (deadline - clock()) / max(each, 1e-6)))
        write_checked(kept, {"stamp": stamp, "columns": count})
    drawn = np.random.default_rng(settings.seed).permutation(len(cells))[:count]
    left_out = set(cells).difference(cells[place] for place in drawn.tolist())
    return {name: kind for name, kind in used.items() if name not in left_out}


def _kept(path: Path, stamp: str) -> int | None:
    try:
        values = read_mapping(path)
        return int(values["columns"]) if values["stamp"] == stamp else None
    except (WeftError, KeyError, TypeError, ValueError):
        return None  # missing or truncated: measure again


def said_of_columns(count: int, columns: int) -> str:
    """The note that only `count` of `columns` columns are read."""
    return (
        f"{count:,} of {columns:,} columns are used, sampled at random: there is no time to read all (a larger "
        "--minutes uses more)"
    )


def said_of_worth(count: int, columns: int) -> str:
    """The note that the importance of only `count` of `columns` columns was measured."""
    return f"The importance of {count:,} of {columns:,} columns was measured: there was no time for more"
