"""Compares systems on the same queries: two of them, or several with the best."""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from weft.evaluation.bootstrap import Bootstrap, Estimate, Floats, Statistic, expanded


@dataclass(frozen=True)
class Comparison:
    """first, second and second - first, with the p-value for "there is no difference"."""

    first: Estimate
    second: Estimate
    difference: Estimate
    p_value: float

    @property
    def clear(self) -> bool:
        """Whether the interval of the difference excludes zero."""
        return self.difference.low > 0 or self.difference.high < 0


def compare(
    first: ArrayLike,
    second: ArrayLike,
    groups: ArrayLike,
    *,
    statistic: Literal["mean", "median"] | Callable[[Floats], Floats] = "mean",
    resamples: int = 2000,
    seed: int = 0,
) -> Comparison:
    """Paired comparison of two systems' values (N,) on the same N queries of `groups` (N,).

    statistic: compares a function of the sums (..., C) of counts instead, such as BLEU; then the values are (N, C).

    Both systems use the same resamples of groups, so the common difficulty of a query cancels. The p-value comes from
    the randomisation test that swaps the systems in whole groups (E. W. Noreen, Computer-Intensive Methods for
    Testing Hypotheses, 1989, chapter 2), for the difference of means.
    """
    a, b, of = (np.asarray(values) for values in (first, second, groups))
    if a.shape != b.shape:
        raise ValueError(f"the systems have {a.shape} and {b.shape} values, expected the same")
    bootstrap = Bootstrap(of, resamples=resamples, seed=seed)
    if callable(statistic):
        one, two = (bootstrap.of_sums(statistic, values, of) for values in (a, b))
        p_value = _swapped(statistic, a, b, of, resamples=resamples, seed=seed)
    else:
        measure = bootstrap.mean if statistic == "mean" else bootstrap.median
        one, two = measure(a, of), measure(b, of)
        p_value = randomisation_test(b.astype(float) - a, of, resamples=resamples, seed=seed)
    return Comparison(one.estimate(), two.estimate(), (two - one).estimate(), p_value)


def against_best(
    systems: Sequence[ArrayLike],
    groups: ArrayLike,
    best: int,
    *,
    resamples: int = 2000,
    seed: int = 0,
) -> dict[int, Comparison]:
    """Returns system -> its paired comparison with the best (first). Values: (N,) of K systems on N queries.

    The best system was chosen by these very values, so even among equal systems its lead over the last is large by
    chance. The intervals of differences and the p-values therefore hold for all K (K - 1) / 2 pairs simultaneously.
    Each difference is measured in its standard errors, and compared with the largest one among all pairs on resamples
    (max-T, single step; P. H. Westfall and S. S. Young, Resampling-Based Multiple Testing, 1993, section 2.5; K. S.
    Pollard and M. J. van der Laan, J. Stat. Plan. Inference 125, 2004, for the bootstrap). No p-value is smaller than
    that of the pair's own randomisation test.
    """
    values_NK = np.stack([np.asarray(values, dtype=np.float64) for values in systems], axis=1)
    bootstrap = Bootstrap(groups, resamples=resamples, seed=seed)
    means = bootstrap.means(values_NK, groups)
    largest_R = _largest(means)
    found = {}
    for n, one in enumerate(means):
        if n != best:
            own = values_NK[:, n] - values_NK[:, best]
            alone = randomisation_test(own, groups, resamples=resamples, seed=seed)
            difference, p_value = _held_against(one - means[best], largest_R, alone)
            found[n] = Comparison(means[best].estimate(), one.estimate(), difference, p_value)
    return found


def _largest(means: Sequence[Statistic]) -> Floats:
    """(R,) For each resample, the largest deviation of any pair's difference from its value, in standard errors;
    expanded for few groups."""
    largest_R = np.zeros(len(means[0].replicates))
    for first, second in itertools.combinations(means, 2):
        difference = second - first
        error = difference.replicates.std()
        if error > 0:
            away_R = np.abs(difference.replicates - difference.value) / error
            largest_R = np.maximum(largest_R, away_R)
    groups = means[0].groups
    return largest_R if groups == 1 else np.array([expanded(z, groups) for z in largest_R])


def _held_against(
    difference: Statistic, largest_R: Floats, least_p_value: float
) -> tuple[Estimate, float]:
    """Returns the difference with its simultaneous interval, and its p-value."""
    error = float(difference.replicates.std())
    half = error * float(np.quantile(largest_R, 0.95)) if error > 0 else 0.0
    if difference.groups == 1:
        half = math.nan
    beyond = int((largest_R * error >= abs(difference.value) * (1 - 1e-9)).sum())
    p_value = max(least_p_value, (beyond + 1) / (len(largest_R) + 1))
    value = difference.value
    return Estimate(value, value - half, value + half, difference.groups), p_value


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
        # The tolerance treats sums that differ only by rounding as equal.
        extreme += int((np.abs(signs @ sums) >= observed - 1e-9 * max(1.0, observed)).sum())
    return (extreme + 1) / (resamples + 1)


def _swapped(
    statistic: Callable[[Floats], Floats],
    first: Floats,
    second: Floats,
    groups: ArrayLike,
    *,
    resamples: int,
    seed: int,
) -> float:
    """Two-sided p-value of "no difference" for a function of sums of counts (N, C), swapping whole groups."""
    found, place = np.unique(np.asarray(groups), return_inverse=True)
    between_GC = np.zeros((len(found), first.shape[1]))
    np.add.at(between_GC, place, np.asarray(second, dtype=np.float64) - first)
    one_C, two_C = first.sum(0), second.sum(0)
    random = np.random.default_rng(seed)
    observed = abs(float(statistic(two_C) - statistic(one_C)))
    extreme = 0
    chunk = max(1, 2**22 // len(found))
    for start in range(0, resamples, chunk):
        swapped_RG = random.integers(0, 2, size=(min(chunk, resamples - start), len(found)))
        moved_RC = swapped_RG @ between_GC
        away_R = np.abs(statistic(two_C - moved_RC) - statistic(one_C + moved_RC))
        extreme += int((away_R >= observed - 1e-9 * max(1.0, observed)).sum())
    return (extreme + 1) / (resamples + 1)
