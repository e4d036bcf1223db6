"""Search structures find candidates among the first rows of an index; later rows are searched exactly."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
from torch import Tensor

from weft.index import flat
from weft.index.rows import Rows

CACHE = "search.cache"
"""Name of a structure's file, beside the database."""
DENSE = 0.1
"""If a smaller share of the rows may be found, they are compared one by one."""
MANY_WANTED = 8
"""If more than one row in this number is wanted, all rows are compared."""
BEHIND, LEAST_BEHIND = 0.2, 2000
"""A structure is stale if this share and this number of rows is not in it, or removed but still in it."""
Stopped = Callable[[], bool]


class Structure(Protocol):
    """A structure over the rows up to one of them."""

    @property
    def last(self) -> int:
        """The number of the last row that it holds."""
        ...

    @property
    def size(self) -> int:
        """The number of its rows, including those removed since."""
        ...

    def nearest(
        self, rows: Rows, queries_QE: Tensor, count: int, allowed: np.ndarray | None
    ) -> np.ndarray:
        """(Q, M) positions in `rows`, -1 if there are fewer: candidates for the `count` nearest."""
        ...

    def missing(self, rows: Rows) -> np.ndarray:
        """Numbers of rows up to `last` that it lacks and that are not removed; empty unless it is damaged."""
        ...

    def save(self, path: Path) -> None: ...


def nearest(
    rows: Rows,
    structure: Structure | None,
    queries_QE: Tensor,
    count: int,
    allowed: np.ndarray | None,
) -> np.ndarray:
    """(Q, M) positions in `rows`, -1 if there are fewer: candidates for the `count` nearest of each query."""
    if rows.first == 0 and (structure is None or _exactly(structure, count, allowed)):
        return flat.nearest(rows.vectors, queries_QE, count, allowed)
    assert structure is not None
    end = int(np.searchsorted(rows.numbers, structure.last, side="right"))
    found = structure.nearest(rows, queries_QE, count, None if allowed is None else allowed[:end])
    if end == len(rows):
        return found
    behind = flat.nearest(
        rows.vectors[end - rows.first :],
        queries_QE,
        count,
        None if allowed is None else allowed[end:],
    )
    return np.concatenate([found, behind + end], axis=1)


def _exactly(structure: Structure, count: int, allowed: np.ndarray | None) -> bool:
    share = 1.0 if allowed is None else float(allowed.mean())
    return share < DENSE or count * MANY_WANTED > share * structure.size


def is_stale(rows: Rows, structure: Structure | None) -> bool:
    """Whether the structure should be rebuilt or extended."""
    alive = rows.count
    if structure is None:
        return alive >= LEAST_BEHIND
    end = int(np.searchsorted(rows.numbers, structure.last, side="right"))
    gone = structure.size - int(np.count_nonzero(rows.alive[:end]))
    return max(len(rows) - end, gone) > max(LEAST_BEHIND, BEHIND * structure.size)
