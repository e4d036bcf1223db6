"""Retrieval scores of a pair of columns: recall@10 and recall@1 in both directions."""

from collections.abc import Sequence

import numpy as np
import torch

from weft.evaluation.baselines import retrieval_chance
from weft.evaluation.metric import Metric
from weft.evaluation.ranking import dot_product, rank_queries
from weft.fitting.candidates import Candidate
from weft.fitting.features import dense
from weft.fitting.folds import Rows
from weft.fitting.leaderboard import Measured
from weft.fitting.models import Floats
from weft.fitting.pairs import Pairs
from weft.fitting.trials import peak_memory

RECALL_10, RECALL_1 = Metric("recall@10", said="recall@10, both ways"), Metric("recall@1")
CHANCE, LINEAR = "chance", "linear projections"


def chance(pairs: Pairs) -> Measured:
    parts: list[Floats] = []
    firsts: list[float] = []
    for fold in pairs.plan.folds:
        matches = pairs.matches[fold.held]
        tens = ones = 0.0
        for which in (0, 1):
            gallery = matches[_distinct(pairs, which, fold.held)]
            names, counts = torch.unique(gallery, return_counts=True)
            right = counts[torch.searchsorted(names, matches)]
            chance = retrieval_chance(right.numpy(), len(gallery), (1, 10))
            tens, ones = tens + chance.recall[10] / 2, ones + chance.recall[1] / 2
        parts.append(np.full(len(matches), RECALL_10.scale * tens))
        firsts.append(RECALL_1.scale * ones * len(matches))
    first = sum(firsts) / sum(map(len, parts))
    return Measured(
        Candidate(CHANCE, "constant"), np.concatenate(parts), (first,), 0.0, peak_memory()
    )


def measure_vectors(
    pairs: Pairs, candidate: Candidate, vectors: Sequence[tuple[Floats, Floats]], seconds: float
) -> Measured:
    """Measures a candidate. vectors: for each fold, the vectors of both columns for all rows."""
    tens, ones = [], []
    for fold, both in zip(pairs.plan.folds, vectors, strict=True):
        ten, one = partners_found(pairs, both, fold.held)
        tens.append(ten)
        ones.append(one)
    first = RECALL_1.scale * float(np.concatenate(ones).mean())
    return Measured(
        candidate, RECALL_10.scale * np.concatenate(tens), (first,), seconds, peak_memory()
    )


def partners_found(
    pairs: Pairs, vectors: tuple[Floats, Floats], rows: Rows
) -> tuple[Floats, Floats]:
    """Two arrays (R,): is a row's partner among the first 10, and is it the first? Means of both directions.

    A value that several rows share, such as a picture with five captions, is in the gallery once.
    """
    matches = pairs.matches[rows]
    galleries = [torch.from_numpy(one[rows]).float() for one in vectors]
    tens, ones = np.zeros(len(rows)), np.zeros(len(rows))
    for query, gallery in ((0, 1), (1, 0)):
        keep = _distinct(pairs, gallery, rows)
        found = rank_queries(
            dot_product(galleries[query], galleries[gallery][keep]), matches, matches[keep]
        )
        tens += found.hits(10).numpy() / 2
        ones += found.hits(1).numpy() / 2
    return tens, ones


def _distinct(pairs: Pairs, which: int, rows: Rows) -> torch.Tensor:
    """Indices of rows: of matching rows with equal values, such as a picture with five captions, only the first."""
    matches, values = pairs.matches[rows].tolist(), dense(pairs.columns[which].matrix[rows])
    first: dict[tuple[int, bytes], int] = {}
    for place, (match, value) in enumerate(zip(matches, values, strict=True)):
        first.setdefault((match, value.tobytes()), place)
    return torch.tensor(list(first.values()))
