"""Two systems on the same queries."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from weft.evaluation.bootstrap import Bootstrap, Estimate


@dataclass(frozen=True)
class Comparison:
    """first, second and second - first, with the p-value of "there is no difference"."""

    first: Estimate
    second: Estimate
    difference: Estimate
    p_value: float

    @property
    def clear(self) -> bool:
        """Does the interval of the difference leave out zero?"""
        return self.difference.low > 0 or self.difference.high < 0


def compare(
    first: ArrayLike,
    second: ArrayLike,
    groups: ArrayLike,
    *,
    statistic: Literal["mean", "median"] = "mean",
    resamples: int = 2000,
    seed: int = 0,
) -> Comparison:
    """Paired comparison of two systems' values (N,) on the same N queries of `groups` (N,).

    Both are computed on the same resamples of groups, so what makes a query hard for both cancels.
    The p-value is that of the randomisation test that swaps the systems in whole groups (E. W. Noreen,
    Computer-Intensive Methods for Testing Hypotheses, 1989, chapter 2), for the difference of means.
    """
    a, b, of = (np.asarray(values) for values in (first, second, groups))
    if a.shape != b.shape:
        raise ValueError(f"the systems have {a.shape} and {b.shape} values, expected the same")
    bootstrap = Bootstrap(of, resamples=resamples, seed=seed)
    measure = bootstrap.mean if statistic == "mean" else bootstrap.median
    one, two = measure(a, of), measure(b, of)
    p_value = randomisation_test(b.astype(float) - a, of, resamples=resamples, seed=seed)
    return Comparison(one.estimate(), two.estimate(), (two - one).estimate(), p_value)


def randomisation_test(
    difference: ArrayLike, groups: ArrayLike, *, resamples: int = 2000, seed: int = 0
) -> float:
    """Two-sided p-value of a mean of zero for paired differences (N,), flipping whole groups' signs."""
    _, place = np.unique(np.asarray(groups), return_inverse=True)
    sums = np.bincount(place, weights=np.asarray(difference, dtype=np.float64))
    random = np.random.default_rng(seed)
    observed = abs(sums.sum())
    extreme = 0
    chunk = max(1, 2**22 // len(sums))
    for start in range(0, resamples, chunk):
        signs = random.integers(0, 2, size=(min(chunk, resamples - start), len(sums))) * 2 - 1
        # The tolerance keeps sums that are equal but for rounding counted as equal.
        extreme += int((np.abs(signs @ sums) >= observed - 1e-9 * max(1.0, observed)).sum())
    return (extreme + 1) / (resamples + 1)
