"""Ranks candidates: the k best items with their exact scores."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from weft.index.rows import Rows

WIDER = 4
"""Factor for the number of candidates if too few of them are different items."""


@dataclass(frozen=True)
class Candidates:
    """nearest(queries (Q, E), count): (Q, M) positions, -1 if there are fewer; they contain all or nearly all of
    the `count` nearest rows that may be found. vectors(places (M,)): (M, E) float32. allowed: (N,) bool, the rows
    that may be found; None: all.
    """

    nearest: Callable[[Tensor, int], np.ndarray]
    vectors: Callable[[np.ndarray], np.ndarray]
    allowed: np.ndarray | None


def ranked(
    rows: Rows, queries_QE: Tensor, k: int, candidates: Candidates
) -> list[list[tuple[float, int]]]:
    """The exact score and the position of the best row of each of the k best items, best first."""
    total = len(rows) if candidates.allowed is None else int(np.count_nonzero(candidates.allowed))
    found: list[list[tuple[float, int]]] = [[] for _ in queries_QE]
    left, count = list(range(len(queries_QE))), k
    while left and total:
        count = min(count, total)
        places = candidates.nearest(queries_QE[left], count)
        for query, row in zip(left, places, strict=True):
            found[query] = _one(rows, queries_QE[query], row[row >= 0], k, candidates)
        left = [query for query in left if len(found[query]) < k] if count < total else []
        count *= WIDER
    return found


def _one(
    rows: Rows, query_E: Tensor, places: np.ndarray, k: int, candidates: Candidates
) -> list[tuple[float, int]]:
    vectors = torch.from_numpy(candidates.vectors(places))
    scores = (vectors.double() @ query_E.double()).numpy().clip(-1, 1)
    order = np.lexsort((places, -scores))
    _, first = np.unique(rows.items[places[order]], return_index=True)
    best = order[np.sort(first)[:k]]
    return [(float(scores[place]), int(places[place])) for place in best]
