"""Calibration: are predictions of probability p right in p of all cases?"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from weft.evaluation.bootstrap import Bootstrap, Floats, Statistic, count

BINS = 15
"""Number of equally wide bins of confidence (C. Guo et al. 2017, arXiv:1706.04599, section 2)."""


@dataclass(frozen=True)
class Calibration:
    """edges: (BINS + 1,). counts, confidence, accuracy: (BINS,), NaN in an empty bin. ece: the mean over predictions
    of |accuracy - confidence| in their bin, equation 3 of Guo et al."""

    edges: Floats
    counts: Floats
    confidence: Floats
    accuracy: Floats
    ece: Statistic


def calibration(
    confidence: ArrayLike, right: ArrayLike, groups: ArrayLike, bootstrap: Bootstrap
) -> Calibration:
    """confidence: (N,) probabilities of N predictions, or (N, V) with V in each row. right: the same shape; whether
    each is right, or its share of being right. groups: (N,).

    A bin excludes its lower edge and includes its upper one.
    """
    confidence_NV = np.asarray(confidence, dtype=np.float64).reshape(len(np.asarray(groups)), -1)
    right_NV = np.asarray(right, dtype=np.float64).reshape(confidence_NV.shape)
    edges = np.linspace(0, 1, BINS + 1)
    place_NV = (np.ceil(confidence_NV * BINS - 1e-9).astype(np.intp) - 1).clip(0, BINS - 1)
    rows, flat = len(place_NV), (place_NV + BINS * np.arange(len(place_NV))[:, None]).ravel()
    columns = [
        np.bincount(flat, one.ravel(), minlength=rows * BINS).reshape(rows, BINS)
        for one in (np.ones_like(right_NV), confidence_NV, right_NV)
    ]
    total_K, totals_RK = bootstrap.totals(np.column_stack(columns), groups)
    counts, confident, hits = np.vstack([total_K, totals_RK]).reshape(-1, 3, BINS).swapaxes(0, 1)
    ece = abs(hits - confident).sum(1) / np.maximum(counts.sum(1), 1)
    with np.errstate(invalid="ignore"):
        confident_P, accuracy_P = confident[0] / counts[0], hits[0] / counts[0]
    statistic = Statistic(float(ece[0]), ece[1:], count(groups))
    return Calibration(edges, counts[0], confident_P, accuracy_P, statistic)
