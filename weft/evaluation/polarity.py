"""Scores on a scale around zero, such as a sentiment from -3 to 3, evaluated as classes.

Two conventions for two classes exist, and their numbers must not be compared with each other:
- Negative against non-negative: a score of 0 counts as non-negative (A. Zadeh et al., EMNLP 2017, arXiv:1707.07250).
- Negative against positive: rows whose right score is 0 are left out (Y.-H. H. Tsai et al., ACL 2019,
  arXiv:1906.00295).

F1 is the mean of the F1 of both classes, weighted by their numbers of rows. The classes of the whole scale are its
whole numbers: predicted and right scores are clipped at its ends and rounded, halves to the even number.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from weft.evaluation.bootstrap import Bootstrap, Floats, Statistic, count

Limits = tuple[float, float]


@dataclass(frozen=True)
class TwoClasses:
    """Shares in [0, 1] on all rows and on every resample."""

    accuracy: Statistic
    f1: Statistic


@dataclass(frozen=True)
class Polarity:
    """non_negative: negative against non-negative. non_zero: negative against positive, None if all right scores are
    0. classes: number of classes on the scale, and accuracy: over these."""

    non_negative: TwoClasses
    non_zero: TwoClasses | None
    classes: int
    accuracy: Statistic


def around_zero(limits: Limits | None) -> bool:
    """Whether these are the ends of a scale with scores on both sides of 0."""
    return limits is not None and limits[0] < 0 < limits[1]


def polarity(
    found: ArrayLike,
    expected: ArrayLike,
    limits: Limits,
    groups: ArrayLike,
    bootstrap: Bootstrap | None = None,
) -> Polarity:
    """Compares N predicted scores with the N right ones. groups: (N,). Without a bootstrap there are no replicates."""
    x_N, y_N = (np.asarray(one, dtype=np.float64) for one in (found, expected))
    all_N = np.ones(len(y_N), bool)
    classes_2N = np.round(np.clip(np.stack([x_N, y_N]), *limits))
    right_N = (classes_2N[0] == classes_2N[1]).astype(np.float64)
    hits, rows = _sums(np.column_stack([right_N, all_N]), groups, bootstrap).T
    other_N = y_N != 0
    return Polarity(
        non_negative=_two_classes(x_N >= 0, y_N >= 0, all_N, groups, bootstrap),
        non_zero=_two_classes(x_N > 0, y_N > 0, other_N, groups, bootstrap)
        if other_N.any()
        else None,
        classes=int(np.round(limits[1]) - np.round(limits[0])) + 1,
        accuracy=_share(hits, rows, count(groups)),
    )


def _two_classes(
    found_N: NDArray[np.bool_],
    right_N: NDArray[np.bool_],
    counted_N: NDArray[np.bool_],
    groups: ArrayLike,
    bootstrap: Bootstrap | None,
) -> TwoClasses:
    """Computes both shares over the counted rows."""
    cells = [found_N & right_N, found_N & ~right_N, ~found_N & right_N, ~found_N & ~right_N]
    counts_N4 = np.column_stack([cell & counted_N for cell in cells]).astype(np.float64)
    both, up, down, neither = _sums(counts_N4, groups, bootstrap).T
    rows = both + up + down + neither
    weighed = (both + down) * _f1(both, up + down) + (neither + up) * _f1(neither, up + down)
    number = count(np.asarray(groups)[counted_N])
    return TwoClasses(_share(both + neither, rows, number), _share(weighed, rows, number))


def _f1(hits: Floats, errors: Floats) -> Floats:
    """2 hits / (2 hits + errors); 0 for a class that neither occurs nor is predicted."""
    found: Floats = 2 * hits / np.maximum(2 * hits + errors, 1)
    return found


def _sums(values_NK: Floats, groups: ArrayLike, bootstrap: Bootstrap | None) -> Floats:
    """(1 + R, K) sums over all rows, then over every resample."""
    every: Floats = values_NK.sum(0, keepdims=True).astype(np.float64)
    if bootstrap is None:
        return every
    return np.vstack([every, bootstrap.totals(values_NK, groups)[1]])


def _share(above: Floats, below: Floats, groups: int) -> Statistic:
    """Both arguments are (1 + R,). A resample without a counted row gets the share of all rows."""
    value = float(above[0] / below[0])
    replicates = np.where(below[1:] > 0, above[1:] / np.maximum(below[1:], 1), value)
    return Statistic(value, replicates, groups)
