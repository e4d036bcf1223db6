"""AUROC and average precision for each class: how well scores rank its rows before all others.

AUROC is the probability that a row of the class scores higher than another row; ties count one half (J. A. Hanley and
B. J. McNeil, Radiology 143, 1982). Average precision is the sum over thresholds of (recall gained) x precision,
without interpolation.

Resampling thousands of classes separately takes too long, so each number is linearised. Its derivative by the weight
of each row is computed exactly, and a resample changes it by the sum over the sampled rows (A. C. Davison and D. V.
Hinkley, Bootstrap Methods and their Application, 1997, section 2.7.2, empirical influence values).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from weft.evaluation.bootstrap import Bootstrap, Floats, Statistic, count

Bools = NDArray[np.bool_]
Ranking = Literal["auroc", "average_precision"]
CELLS_AT_ONCE = 2**22
"""Maximum rows times classes whose influence values are in memory."""


@dataclass(frozen=True)
class PerClass:
    """places: the K classes that have both rows in the class and others. each: their numbers. mean: over them, or
    None if there are none."""

    places: tuple[int, ...]
    each: tuple[Statistic, ...]
    mean: Statistic | None


def one_against_rest(
    what: Ranking,
    scores: ArrayLike,
    right: ArrayLike,
    groups: ArrayLike,
    bootstrap: Bootstrap,
    *,
    separate: int = 0,
) -> PerClass:
    """scores: (N, V), higher for the class. right: (N, V) bool. separate: maximum number of classes, those with the
    most rows, whose own numbers are returned too."""
    scores_NV, right_NV = np.asarray(scores), np.asarray(right, dtype=bool)
    positives_V = right_NV.sum(0)
    places = np.flatnonzero((positives_V > 0) & (positives_V < len(right_NV)))
    if not len(places):
        return PerClass((), (), None)
    frequent = places[np.argsort(-positives_V[places], kind="stable")][:separate]
    apart = {int(place): number for number, place in enumerate(frequent)}
    influence = auroc_influence if what == "auroc" else average_precision_influence
    total, sum_N = 0.0, np.zeros(len(right_NV))
    values, columns = np.zeros(len(frequent)), np.zeros((len(right_NV), len(frequent)))
    for some in _chunks(places, len(right_NV)):
        value_K, influence_NK = influence(scores_NV[:, some], right_NV[:, some])
        total += float(value_K.sum())
        sum_N += influence_NK.sum(1)
        for column, place in enumerate(some.tolist()):
            if place in apart:
                values[apart[place]] = value_K[column]
                columns[:, apart[place]] = influence_NK[:, column]
    linear = linearised(
        np.append(values, total / len(places)),
        np.column_stack([columns, sum_N / len(places)]),
        groups,
        bootstrap,
    )
    return PerClass(tuple(apart), tuple(linear[:-1]), linear[-1])


def linearised(
    values_K: Floats, influence_NK: Floats, groups: ArrayLike, bootstrap: Bootstrap
) -> list[Statistic]:
    """Resamples K shares in [0, 1] by their derivatives (N, K) with respect to row weights, which sum to 0 over the
    rows."""
    _, changes_RK = bootstrap.totals(influence_NK, groups)
    number = count(groups)
    return [
        Statistic(float(value), (value + changes_R).clip(0, 1), number)
        for value, changes_R in zip(values_K, changes_RK.T, strict=True)
    ]


def auroc_influence(scores_NK: Floats, right_NK: Bools) -> tuple[Floats, Floats]:
    """(K,) AUROC of each column, and its derivative by the weight of each row (N, K)."""
    order_NK, right_NK, last_NK = _descending(scores_NK, right_NK)
    first_NK = _block_firsts(last_NK)
    positives_K, negatives_K = right_NK.sum(0), (~right_NK).sum(0)
    above: list[Floats] = []
    for kind_NK in (right_NK, ~right_NK):  # rows of that kind above each row; ties count half
        upto_NK: Floats = np.cumsum(kind_NK, axis=0, dtype=np.float64)
        through: Floats = np.take_along_axis(upto_NK, last_NK, axis=0)
        before: Floats = np.take_along_axis(upto_NK - kind_NK, first_NK, axis=0)
        above.append((through + before) / 2)
    positives_above, negatives_above = above
    beaten_NK = np.where(right_NK, 1 - negatives_above / negatives_K, positives_above / positives_K)
    value_K = np.where(right_NK, beaten_NK, 0).sum(0) / positives_K
    influence_NK = (beaten_NK - value_K) / np.where(right_NK, positives_K, negatives_K)
    return value_K, _in_rows(influence_NK, order_NK)


def average_precision_influence(scores_NK: Floats, right_NK: Bools) -> tuple[Floats, Floats]:
    """(K,) average precision of each column, and its derivative by the weight of each row (N, K)."""
    order_NK, right_NK, last_NK = _descending(scores_NK, right_NK)
    positives_K = right_NK.sum(0)
    true_NK = np.take_along_axis(np.cumsum(right_NK, axis=0), last_NK, axis=0)
    taken_NK = last_NK + 1.0
    precision_NK = true_NK / taken_NK
    value_K = np.where(right_NK, precision_NK, 0).sum(0) / positives_K
    # A row affects the precision of every right row that does not rank above it.
    first_NK = _block_firsts(last_NK)
    gain_NK = _from_here(np.where(right_NK, 1 / taken_NK, 0), first_NK)
    loss_NK = _from_here(np.where(right_NK, true_NK / taken_NK**2, 0), first_NK)
    own_NK = right_NK * (precision_NK - value_K + gain_NK)
    return value_K, _in_rows((own_NK - loss_NK) / positives_K, order_NK)


def _descending(
    scores_NK: Floats, right_NK: Bools
) -> tuple[NDArray[np.intp], Bools, NDArray[np.intp]]:
    """Returns the order of the rows by descending score, the right rows in that order, and the last position of each
    tie."""
    order_NK = np.argsort(-scores_NK, axis=0, kind="stable")
    sorted_NK = np.take_along_axis(scores_NK, order_NK, axis=0)
    ends_NK = np.ones(sorted_NK.shape, dtype=bool)
    ends_NK[:-1] = sorted_NK[:-1] != sorted_NK[1:]
    place_N1 = np.arange(len(sorted_NK))[:, None]
    marked_NK = np.where(ends_NK, place_N1, len(sorted_NK))
    last_NK = np.minimum.accumulate(marked_NK[::-1], axis=0)[::-1]
    return order_NK, np.take_along_axis(right_NK, order_NK, axis=0), last_NK


def _block_firsts(last_NK: NDArray[np.intp]) -> NDArray[np.intp]:
    """The first position of each tie."""
    place_N1 = np.arange(len(last_NK))[:, None]
    begins_NK = np.ones(last_NK.shape, dtype=bool)
    begins_NK[1:] = last_NK[1:] != last_NK[:-1]
    firsts: NDArray[np.intp] = np.maximum.accumulate(np.where(begins_NK, place_N1, 0), axis=0)
    return firsts


def _from_here(values_NK: Floats, first_NK: NDArray[np.intp]) -> Floats:
    """The sum of the values from the first position of each tie on."""
    after_NK = np.cumsum(values_NK[::-1], axis=0)[::-1]
    found: Floats = np.take_along_axis(after_NK, first_NK, axis=0)
    return found


def _in_rows(sorted_NK: Floats, order_NK: NDArray[np.intp]) -> Floats:
    """Restores the original order of the rows."""
    found = np.empty_like(sorted_NK)
    np.put_along_axis(found, order_NK, sorted_NK, axis=0)
    return found


def _chunks(places: NDArray[np.intp], rows: int) -> Iterator[NDArray[np.intp]]:
    size = max(1, CELLS_AT_ONCE // max(1, rows))
    for start in range(0, len(places), size):
        yield places[start : start + size]
