"""Confidence intervals by the bootstrap, resampling whole groups.

The five captions of one image are not five independent observations, so groups are sampled with replacement, not
observations (A. C. Davison and D. V. Hinkley, Bootstrap Methods and their Application, 1997, section 3.8). All
statistics of one `Bootstrap` use the same resamples, so their sums and differences are paired.

The percentile interval of few groups is too narrow: with 10 groups it covers the truth 89% of the time instead of
95%. Its tails are therefore moved outwards to those of a t interval (T. Hesterberg, What Teachers Should Know About
the Bootstrap, The American Statistician 69(4), 2015, section 4.3, the expanded percentile interval). Below
`FEW_GROUPS` this does not suffice, since no resample leaves the range of the groups. Each estimate holds its number
of groups, so that it can be printed beside the value.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from weft.core.language import say

Floats = NDArray[np.float64]

CHUNK_ELEMENTS = 2**22
"""Maximum number of counts of sampled groups in memory."""

FEW_GROUPS = 5
"""With fewer groups the interval is too narrow: with 3 groups it covers the truth 75% of the time."""


@dataclass(frozen=True)
class Estimate:
    """A number and its confidence interval. low and high are NaN if there is only one group.

    groups: number of independent groups behind it, if known.
    """

    value: float
    low: float
    high: float
    groups: int | None = None

    @classmethod
    def alone(cls, value: float) -> "Estimate":
        """Returns a number without an interval."""
        return cls(value, math.nan, math.nan)

    def __str__(self) -> str:
        return f"{self.value:.1f} [{self.low:.1f}, {self.high:.1f}]"

    def percent(self) -> "Estimate":
        """Converts a share in [0, 1] to a percentage."""
        return Estimate(100 * self.value, 100 * self.low, 100 * self.high, self.groups)

    @property
    def warning(self) -> str:
        """Returns the caveat about the interval, or an empty string."""
        if self.groups is None or self.groups >= FEW_GROUPS:
            return ""
        return (
            "1 group: no interval"
            if self.groups == 1
            else f"{self.groups} groups: interval too narrow"
        )

    def interval(self, digits: int = 1) -> str:
        """Formats the interval with its warning, in the reader's language."""
        return say("; ".join(part for part in (self.bounds(digits), self.warning) if part))

    def words(self, digits: int = 1) -> str:
        """Formats the interval for a sentence: "95% interval 1.0 – 2.0". Without an interval only its warning."""
        return f"95% interval {self.interval(digits)}" if self.bounds(digits) else self.warning

    def bounds(self, digits: int = 1) -> str:
        """Formats the interval without its warning; an empty string if there is none."""
        known = math.isfinite(self.low) and math.isfinite(self.high)
        return f"{self.low:z.{digits}f} – {self.high:z.{digits}f}" if known else ""

    def to_json(self) -> dict[str, float | int | None]:
        bounds = {"low": self.low, "high": self.high}
        return {
            "value": self.value,
            **{name: one if math.isfinite(one) else None for name, one in bounds.items()},
            "groups": self.groups,
        }


@dataclass(frozen=True)
class Statistic:
    """A number with its values (R,) on every resample of `groups` groups. Supports arithmetic."""

    value: float
    replicates: Floats
    groups: int

    def __add__(self, other: "Statistic") -> "Statistic":
        return self._with(other, self.value + other.value, self.replicates + other.replicates)

    def __sub__(self, other: "Statistic") -> "Statistic":
        return self._with(other, self.value - other.value, self.replicates - other.replicates)

    def __mul__(self, factor: float) -> "Statistic":
        return Statistic(self.value * factor, self.replicates * factor, self.groups)

    def estimate(self, confidence: float = 0.95) -> Estimate:
        """Returns the percentile interval, expanded for few groups; NaN for one group."""
        if self.groups == 1:
            return Estimate(self.value, math.nan, math.nan, 1)
        tail = expanded_tail(self.groups, (1 - confidence) / 2)
        low, high = np.quantile(self.replicates, [tail, 1 - tail])
        return Estimate(self.value, float(low), float(high), self.groups)

    def _with(self, other: "Statistic", value: float, replicates: Floats) -> "Statistic":
        return Statistic(value, replicates, max(self.groups, other.groups))


def expanded_tail(groups: int, tail: float) -> float:
    """Returns the tail at which a percentile interval is as wide as a t interval for this number of groups."""
    normal = NormalDist()
    return normal.cdf(-expanded(-normal.inv_cdf(tail), groups))


def expanded(deviations: float, groups: int) -> float:
    """Converts the half width of a normal interval, in standard errors, to that for this number of groups: Student's
    t, times the factor that makes the estimated error unbiased."""
    return math.sqrt(groups / (groups - 1)) * t_quantile(deviations, groups - 1)


def t_quantile(deviations: float, freedom: int) -> float:
    """Returns Student's t quantile at the probability where the normal distribution has `deviations`. Exact for 1 and
    2 degrees of freedom, else within 0.5% at 1.96 (M. Abramowitz and I. A. Stegun, Handbook of Mathematical
    Functions, 1964, 26.7.5)."""
    if freedom <= 2:
        above = NormalDist().cdf(-deviations)
        if freedom == 1:
            return 1 / math.tan(math.pi * above) if above > 0 else math.inf
        return (1 - 2 * above) / math.sqrt(2 * above * (1 - above)) if above > 0 else math.inf
    z = deviations
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return math.fsum(term / freedom**power for power, term in enumerate(terms))


class Bootstrap:
    """Resamples of a set of groups. They are sampled again from `seed` each time they are needed."""

    def __init__(self, groups: ArrayLike, *, resamples: int = 2000, seed: int = 0) -> None:
        self.groups = np.unique(np.asarray(groups))
        if not len(self.groups):
            raise ValueError("a bootstrap got no groups, expected at least one")
        if resamples < 1:
            raise ValueError(f"resamples is {resamples}, expected at least 1")
        self.resamples = resamples
        self.seed = seed

    def ratios(
        self, numerators: ArrayLike, denominators: ArrayLike, groups: ArrayLike
    ) -> list[Statistic]:
        """For each of K columns, the sum of numerators over the sum of denominators, both (N, K).

        If only some groups contribute to a column, a resample may contain none of them; then the column's value
        replaces its own.
        """
        columns = np.asarray(numerators).shape[-1]
        total_K, totals_RK = self.totals(np.column_stack([numerators, denominators]), groups)
        above_RK, below_RK = totals_RK[:, :columns], totals_RK[:, columns:]
        value_K = total_K[:columns] / total_K[columns:]
        with np.errstate(invalid="ignore"):
            ratio_RK = np.where(below_RK > 0, above_RK / below_RK, value_K)
        number = count(groups)
        return [Statistic(float(value_K[k]), ratio_RK[:, k], number) for k in range(columns)]

    def totals(self, values: ArrayLike, groups: ArrayLike) -> tuple[Floats, Floats]:
        """The sum of each column of `values` (N, K), and its values on every resample (R, K).

        Statistics of a whole set, such as BLEU, are functions of sums of counts.
        """
        values_NK, place_N = self._checked(values, groups, ndim=2)
        sums_GK = np.zeros((len(self.groups), values_NK.shape[1]))
        np.add.at(sums_GK, place_N, values_NK)
        sums_RK = np.concatenate([counts_RG @ sums_GK for counts_RG in self._counts()])
        return values_NK.sum(0), sums_RK

    def of_sums(
        self, function: Callable[[Floats], Floats], counts: ArrayLike, groups: ArrayLike
    ) -> Statistic:
        """A function of the sums of counts (N, C); it maps (..., C) to (...)."""
        total_C, totals_RC = self.totals(counts, groups)
        number = count(groups)
        return Statistic(float(function(total_C)), function(totals_RC), number)

    def totals_by(
        self, values: ArrayLike, places: ArrayLike, number: int, groups: ArrayLike
    ) -> tuple[Floats, Floats]:
        """The sums (P,) of `values` (N,) in each of P places, and their values on every resample (R, P).

        places: (N,) from 0 to P - 1, such as the classes of the rows. Each value belongs to one place, so thousands
        of places cost no more than one.
        """
        values_N, _ = self._checked(values, groups, ndim=1)
        places_N = np.asarray(places)
        order = places_N.argsort(kind="stable")
        there, starts = np.unique(places_N[order], return_index=True)
        sums_RP = np.zeros((self.resamples, number))
        row = 0
        for counts_RN in self.draws(np.asarray(groups)[order]):
            found = np.add.reduceat(counts_RN * values_N[order], starts, axis=1)
            sums_RP[row : row + len(found), there] = found
            row += len(found)
        total_P: Floats = np.bincount(places_N, values_N, minlength=number).astype(np.float64)
        return total_P, sums_RP

    def means_by(
        self,
        values: ArrayLike,
        places: ArrayLike,
        number: int,
        groups: ArrayLike,
        *,
        shares: bool = False,
    ) -> list[Estimate]:
        """The mean of `values` (N,) in each of P places, all of which have a value.

        shares: values are shares in [0, 1]; means of 0 and 1 get an interval, as in `proportion`. On a resample
        without a row of the place, the mean replaces its value.
        """
        total_P, total_RP = self.totals_by(values, places, number, groups)
        rows_P, rows_RP = self.totals_by(np.ones(len(np.asarray(values))), places, number, groups)
        mean_P = total_P / rows_P
        with np.errstate(invalid="ignore"):
            mean_RP = np.where(rows_RP > 0, total_RP / rows_RP, mean_P)
        pairs = np.unique(np.stack([np.asarray(places), np.asarray(groups)]), axis=1)
        groups_P = np.bincount(pairs[0].astype(np.intp), minlength=number)
        found = [
            Statistic(float(mean_P[p]), mean_RP[:, p], int(groups_P[p])).estimate()
            for p in range(number)
        ]
        return [exact_at_ends(one) for one in found] if shares else found

    def means(self, values: ArrayLike, groups: ArrayLike) -> list[Statistic]:
        """The mean of each column of `values` (N, K), N observations that belong to `groups` (N,)."""
        return self.ratios(values, np.ones_like(np.asarray(values, dtype=np.float64)), groups)

    def mean(self, values: ArrayLike, groups: ArrayLike) -> Statistic:
        return self.means(np.asarray(values, dtype=np.float64)[:, None], groups)[0]

    def median(self, values: ArrayLike, groups: ArrayLike) -> Statistic:
        """The median of `values` (N,): the middle value, or the mean of the two middle ones."""
        values_N, _ = self._checked(values, groups, ndim=1)
        order = values_N.argsort(kind="stable")
        values_N = values_N[order]
        medians: list[Floats] = []
        for counts_RN in self.draws(np.asarray(groups)[order]):
            running_RN = counts_RN.cumsum(1)
            total_R = running_RN[:, -1]
            below = np.maximum((total_R - 1) // 2, 0)
            above = np.minimum(total_R // 2, np.maximum(total_R - 1, 0))
            middle = [_first_above(running_RN, position) for position in (below, above)]
            found = (values_N[middle[0]] + values_N[middle[1]]) / 2
            medians.append(np.where(total_R > 0, found, np.median(values_N)))
        return Statistic(float(np.median(values_N)), np.concatenate(medians), count(groups))

    def draws(self, groups: ArrayLike) -> Iterator[NDArray[np.int64]]:
        """Yields (r, N) parts of the (R, N) counts: how often each resample drew each of N observations."""
        _, place_N = self._checked(np.asarray(groups), groups, ndim=1)
        for counts_RG in self._counts(len(place_N)):
            yield counts_RG[:, place_N]

    def proportion(self, hits: ArrayLike, groups: ArrayLike, confidence: float = 0.95) -> Estimate:
        """The mean of hits in {0, 1}, with an interval also if all or none are hits.

        In these cases all resamples are the same, so the interval is the exact binomial bound for the number of
        groups (C. J. Clopper and E. S. Pearson, Biometrika 26, 1934).
        """
        return exact_at_ends(self.mean(hits, groups).estimate(confidence), confidence)

    def _checked(
        self, values: ArrayLike, groups: ArrayLike, ndim: int
    ) -> tuple[Floats, NDArray[np.intp]]:
        array = np.asarray(values, dtype=np.float64)
        of = np.asarray(groups)
        if array.ndim != ndim or of.shape != array.shape[:1] or not len(array):
            raise ValueError(
                f"values has shape {array.shape} and groups {of.shape}, expected {ndim} dimensions, "
                "one group a value and at least one of them"
            )
        place = np.searchsorted(self.groups, of).clip(max=len(self.groups) - 1)
        if not np.array_equal(self.groups[place], of):
            raise ValueError("groups holds a group that the bootstrap was not given")
        return array, place

    def _counts(self, columns: int = 0) -> Iterator[NDArray[np.int64]]:
        """Yields (r, G) parts of the (R, G) counts: how often each resample drew each group."""
        random = np.random.default_rng(self.seed)
        number = len(self.groups)
        chunk = max(1, CHUNK_ELEMENTS // max(number, columns))
        for start in range(0, self.resamples, chunk):
            rows = min(chunk, self.resamples - start)
            drawn = random.integers(number, size=(rows, number))
            drawn += number * np.arange(rows)[:, None]
            yield np.bincount(drawn.ravel(), minlength=rows * number).reshape(rows, number)


def exact_at_ends(estimate: Estimate, confidence: float = 0.95) -> Estimate:
    """Returns the same estimate; a value of 0 or 1 gets the exact binomial bound, see `Bootstrap.proportion`."""
    tail = ((1 - confidence) / 2) ** (1 / (estimate.groups or 1))
    if estimate.value == 0:
        return Estimate(0.0, 0.0, 1 - tail, estimate.groups)
    return Estimate(1.0, tail, 1.0, estimate.groups) if estimate.value == 1 else estimate


def count(groups: ArrayLike) -> int:
    """Returns the number of different groups."""
    return len(np.unique(np.asarray(groups)))


def _first_above(running_RN: NDArray[np.int64], position_R: NDArray[np.int64]) -> NDArray[np.intp]:
    """For each row, returns the first place where the running count exceeds the position."""
    first: NDArray[np.intp] = (running_RN > position_R[:, None]).argmax(1)
    return first
