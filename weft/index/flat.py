"""Exact search: every vector is compared."""

import numpy as np
import torch
from torch import Tensor

CHUNK = 2**22
"""Maximum number of scores in memory."""
LEAST_CHUNK = 1024
"""Minimum number of rows that are compared at once."""
SPARSE = 4
"""If at most one row in this number may be found, these rows are gathered first."""


def nearest(
    vectors_NE: np.ndarray, queries_QE: Tensor, count: int, allowed: np.ndarray | None
) -> np.ndarray:
    """(Q, M) int64: the positions of the `count` nearest rows of each query, or of all rows if there are fewer.

    allowed: (N,) bool, the rows that may be found; None: all.
    """
    places = None if allowed is None else np.flatnonzero(allowed)
    if places is not None and len(places) * SPARSE <= len(vectors_NE):
        found = _best(torch.from_numpy(vectors_NE[places]), queries_QE, count, None)
        return np.asarray(places[found])
    vectors = torch.from_numpy(vectors_NE)
    barred = None if allowed is None else torch.from_numpy(~allowed)
    return _best(
        vectors, queries_QE, min(count, len(vectors_NE if places is None else places)), barred
    )


def _best(vectors_NE: Tensor, queries_QE: Tensor, count: int, barred: Tensor | None) -> np.ndarray:
    scores = torch.empty(len(queries_QE), 0)
    places = torch.empty(len(queries_QE), 0, dtype=torch.int64)
    chunk = max(LEAST_CHUNK, CHUNK // max(1, len(queries_QE)))
    for start in range(0, len(vectors_NE), chunk):
        part = queries_QE @ vectors_NE[start : start + chunk].T
        if barred is not None:
            part.masked_fill_(barred[start : start + chunk], -torch.inf)
        found = part.topk(min(count, part.shape[1]), dim=1)
        scores = torch.cat([scores, found.values], dim=1)
        places = torch.cat([places, found.indices + start], dim=1)
        if scores.shape[1] > count:
            scores, best = scores.topk(count, dim=1)
            places = places.gather(1, best)
    return places.numpy()
