"""Tables of thousands of columns: as many of them are read as the time allows."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from weft.core.documents import read_mapping, write_checked
from weft.core.errors import WeftError
from weft.core.media import digest_of
from weft.fitting.budget import SLOW
from weft.fitting.choice import source_of
from weft.fitting.features import compute
from weft.fitting.settings import FitSettings
from weft.fitting.table import Table
from weft.training import distributed

MANY, LEAST, TIMED = 500, 100, 8
"""Of at most MANY columns all are read; LEAST are read however short the time is; TIMED columns are timed."""
SHARE = 0.25
"""Of the time that is left, for reading columns: models of them and what each is worth take as long again."""
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
    """The columns that there is time to read, each with its kind, by the speed of the first few.

    Numbers, dates, categories and tags: as many as fit, sampled with the seed. All others stay. used: column -> its kind.
    kept: a file that holds how many, so that the same command goes on with the same columns. clock: gives seconds.
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
        return None  # none there, or cut off: it is measured again


def said_of_columns(count: int, columns: int) -> str:
    """What a person should know of `count` columns of so many."""
    return (
        f"{count:,} of {columns:,} columns are read, drawn by the seed: there is no time for all (more --minutes "
        "reads more)"
    )


def said_of_worth(count: int, columns: int) -> str:
    """What a person should know where not every column was exchanged."""
    return f"What a column is worth is given for {count:,} of {columns:,} columns: there was no time for more"
