"""Measures how well a score separates anomalous rows from normal ones. A higher score is more anomalous."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from weft.evaluation.bootstrap import Bootstrap, Floats, Statistic, count
from weft.evaluation.one_against_rest import one_against_rest

TRUE_POSITIVES = 0.95
"""Recall of anomalous rows at which false alarms are counted."""


@dataclass(frozen=True)
class Detection:
    """Shares in [0, 1].

    auroc: the probability that an anomalous row scores higher than a normal one. average_precision: with the
    anomalous rows as positives. fpr95: share of normal rows at or above the threshold that finds 95% of the anomalous
    ones (D. Hendrycks, M. Mazeika and T. Dietterich, Deep Anomaly Detection with Outlier Exposure, 2019, section
    4.1).
    """

    auroc: Statistic
    average_precision: Statistic
    fpr95: Statistic


def detection(
    scores: ArrayLike, anomalous: ArrayLike, groups: ArrayLike, bootstrap: Bootstrap
) -> Detection:
    """scores, anomalous (bool) and groups: (N,). Raises ValueError if all rows are normal, or all anomalous."""
    scores_N = np.asarray(scores, dtype=np.float64)
    anomalous_N = np.asarray(anomalous, dtype=bool)
    if anomalous_N.all() or not anomalous_N.any():
        raise ValueError("all rows are of one kind, expected anomalous and normal ones")
    auroc, precision = (
        one_against_rest(what, scores_N[:, None], anomalous_N[:, None], groups, bootstrap).mean
        for what in ("auroc", "average_precision")
    )
    assert auroc is not None
    assert precision is not None
    return Detection(auroc, precision, _fpr95(scores_N, anomalous_N, groups, bootstrap))


def share_beaten(normal: ArrayLike, anomalous: ArrayLike) -> Floats:
    """For each anomalous score (A,), returns the share (A,) of normal scores (N,) below it; ties count half. The mean
    is AUROC."""
    sorted_N = np.sort(np.asarray(normal, dtype=np.float64))
    scores_A = np.asarray(anomalous, dtype=np.float64)
    below, upto = (np.searchsorted(sorted_N, scores_A, side=side) for side in ("left", "right"))
    found: Floats = (below + upto) / (2 * len(sorted_N))
    return found


def _fpr95(
    scores_N: Floats, anomalous_N: np.ndarray, groups: ArrayLike, bootstrap: Bootstrap
) -> Statistic:
    order = np.argsort(-scores_N, kind="stable")
    sorted_N, kind_N = scores_N[order], anomalous_N[order]
    ends = np.append(sorted_N[1:] != sorted_N[:-1], True).nonzero()[0]
    last_N = ends[np.searchsorted(ends, np.arange(len(sorted_N)))]  # the last position of each tie

    def share(counts_RN: np.ndarray) -> Floats:
        found_RN = np.cumsum(counts_RN * kind_N, axis=1)
        needed_R = np.ceil(TRUE_POSITIVES * found_RN[:, -1] - 1e-9)
        place_R = last_N[(found_RN >= needed_R[:, None]).argmax(1)]
        false_RN = np.cumsum(counts_RN * ~kind_N, axis=1)
        total_R = false_RN[:, -1]
        false_R = np.take_along_axis(false_RN, place_R[:, None], axis=1)[:, 0]
        with np.errstate(invalid="ignore", divide="ignore"):
            share_R = false_R / total_R
        return np.where((total_R > 0) & (found_RN[:, -1] > 0), share_R, math.nan)

    value = float(share(np.ones((1, len(order)), dtype=np.int64))[0])
    drawn = np.concatenate([share(some) for some in bootstrap.draws(np.asarray(groups)[order])])
    # A resample without rows of one kind has no value; the value of all rows replaces it.
    return Statistic(value, np.where(np.isfinite(drawn), drawn, value), count(groups))
