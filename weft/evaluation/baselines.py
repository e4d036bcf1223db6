"""The exact scores of guessing in retrieval and in classification.

A model that looks at the gallery but not at the query ranks the gallery alike for all queries. If each entry is right
for equally many queries, its recall is that of chance. So chance is also the most that one modality alone can reach.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class RetrievalChance:
    """Expected values for a random order of the gallery. recall: k -> share in [0, 1]."""

    recall: dict[int, float]
    median_rank: float
    mean_rank: float
    average_precision: float
    reciprocal_rank: float


def retrieval_chance(
    positives: ArrayLike, gallery: int, ks: tuple[int, ...] = (1, 5, 10)
) -> RetrievalChance:
    """positives: (Q,) number of right entries of each query among the `gallery` entries.

    P(the best rank > r) = C(G - r, P) / C(G, P), the probability that r draws without replacement hit none of the P
    (hypergeometric). The median rank is computed over the ranks of all queries together.
    """
    counts, weights = np.unique(np.asarray(positives), return_counts=True)
    if not len(counts) or counts[0] < 1 or counts[-1] > gallery:
        raise ValueError(f"positives must lie in 1 ... {gallery}, the size of the gallery")
    share = weights / weights.sum()
    beyond = share @ np.stack([_beyond(int(p), gallery) for p in counts])
    ranks = np.arange(1, gallery + 1)
    probability = beyond[:-1] - beyond[1:]
    harmonic = float((1 / ranks).sum())
    precision = [_random_precision(int(p), gallery, harmonic) for p in counts]
    return RetrievalChance(
        recall={k: float(1 - beyond[min(k, gallery)]) for k in ks},
        median_rank=float(np.searchsorted(-beyond, -0.5)),
        mean_rank=float(share @ ((gallery + 1) / (counts + 1))),
        average_precision=float(share @ np.array(precision)),
        reciprocal_rank=float((probability / ranks).sum()),
    )


@dataclass(frozen=True)
class ClassificationBaselines:
    """chance: k -> accuracy of k distinct random guesses. majority: k -> accuracy of always guessing the k most
    frequent classes."""

    chance: dict[int, float]
    majority: dict[int, float]


def classification_baselines(
    labels: ArrayLike, classes: int, ks: tuple[int, ...] = (1, 5)
) -> ClassificationBaselines:
    """labels: (N,) in 0 ... classes - 1."""
    counts = np.sort(np.bincount(np.asarray(labels), minlength=classes))[::-1]
    return ClassificationBaselines(
        chance={k: min(k, classes) / classes for k in ks},
        majority={k: float(counts[:k].sum() / counts.sum()) for k in ks},
    )


def _beyond(positives: int, gallery: int) -> NDArray[np.float64]:
    """(G + 1,): the probability that the best right entry ranks beyond r, for r = 0 ... G."""
    drawn = np.arange(gallery)
    missed = np.clip(gallery - positives - drawn, 0, None) / (gallery - drawn)
    return np.concatenate([[1.0], np.cumprod(missed)])


def _random_precision(positives: int, gallery: int, harmonic: float) -> float:
    """Expected average precision of a random order.

    A right entry is equally likely at every position i. Of the i - 1 entries before it a share (P - 1) / (G - 1) is
    right on average. So the result is the mean of (1 + (i - 1) (P - 1) / (G - 1)) / i over i.
    """
    if gallery == 1:
        return 1.0
    density = (positives - 1) / (gallery - 1)
    return (harmonic + density * (gallery - harmonic)) / gallery
