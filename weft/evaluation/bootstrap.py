"""Confidence intervals by the bootstrap, resampling whole groups.

The five captions of one image are not five independent observations, so what is drawn with
replacement is the group (A. C. Davison and D. V. Hinkley, Bootstrap Methods and their Application,
1997, section 3.8). All statistics of one `Bootstrap` see the same resamples: their sums and
differences are paired.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

CHUNK_ELEMENTS = 2**22
"""Counts of drawn groups that are held at once."""


@dataclass(frozen=True)
class Estimate:
    """A number and its confidence interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.1f} [{self.low:.1f}, {self.high:.1f}]"

    def percent(self) -> "Estimate":
        """A share in [0, 1] as a percentage."""
        return Estimate(100 * self.value, 100 * self.low, 100 * self.high)

    def to_json(self) -> dict[str, float]:
        return {"value": self.value, "low": self.low, "high": self.high}


@dataclass(frozen=True)
class Statistic:
    """A number and what it is on every resample (R,), so that it can be computed with."""

    value: float
    replicates: Floats

    def __add__(self, other: "Statistic") -> "Statistic":
        return Statistic(self.value + other.value, self.replicates + other.replicates)

    def __sub__(self, other: "Statistic") -> "Statistic":
        return Statistic(self.value - other.value, self.replicates - other.replicates)

    def __mul__(self, factor: float) -> "Statistic":
        return Statistic(self.value * factor, self.replicates * factor)

    def estimate(self, confidence: float = 0.95) -> Estimate:
        """The percentile interval (Davison and Hinkley, section 5.3.1)."""
        tail = (1 - confidence) / 2
        low, high = np.quantile(self.replicates, [tail, 1 - tail])
        return Estimate(self.value, float(low), float(high))


class Bootstrap:
    """Resamples of a set of groups, drawn anew from `seed` each time they are needed."""

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
        """For each of K columns the sum of numerators over the sum of denominators, both (N, K).

        Where only some groups have a part in a column a resample may hit none of them; there the
        column's value stands in.
        """
        columns = np.asarray(numerators).shape[-1]
        total_K, totals_RK = self.totals(np.column_stack([numerators, denominators]), groups)
        above_RK, below_RK = totals_RK[:, :columns], totals_RK[:, columns:]
        value_K = total_K[:columns] / total_K[columns:]
        with np.errstate(invalid="ignore"):
            ratio_RK = np.where(below_RK > 0, above_RK / below_RK, value_K)
        return [Statistic(float(value_K[k]), ratio_RK[:, k]) for k in range(columns)]

    def totals(self, values: ArrayLike, groups: ArrayLike) -> tuple[Floats, Floats]:
        """The sum of each column of `values` (N, K), and what it is on every resample (R, K).

        Statistics of a whole set, such as BLEU, follow from sums of counts.
        """
        values_NK, place_N = self._checked(values, groups, ndim=2)
        sums_GK = np.zeros((len(self.groups), values_NK.shape[1]))
        np.add.at(sums_GK, place_N, values_NK)
        sums_RK = np.concatenate([counts_RG @ sums_GK for counts_RG in self._counts()])
        return values_NK.sum(0), sums_RK

    def means(self, values: ArrayLike, groups: ArrayLike) -> list[Statistic]:
        """The mean of each column of `values` (N, K), N observations that belong to `groups` (N,)."""
        return self.ratios(values, np.ones_like(np.asarray(values, dtype=np.float64)), groups)

    def mean(self, values: ArrayLike, groups: ArrayLike) -> Statistic:
        return self.means(np.asarray(values, dtype=np.float64)[:, None], groups)[0]

    def median(self, values: ArrayLike, groups: ArrayLike) -> Statistic:
        """The median of `values` (N,): the middle value, or the mean of the two middle ones."""
        values_N, place_N = self._checked(values, groups, ndim=1)
        order = values_N.argsort(kind="stable")
        values_N, place_N = values_N[order], place_N[order]
        medians: list[Floats] = []
        for counts_RG in self._counts(len(values_N)):
            running_RN = counts_RG[:, place_N].cumsum(1)
            total_R = running_RN[:, -1]
            below = np.maximum((total_R - 1) // 2, 0)
            above = np.minimum(total_R // 2, np.maximum(total_R - 1, 0))
            middle = [_first_above(running_RN, position) for position in (below, above)]
            found = (values_N[middle[0]] + values_N[middle[1]]) / 2
            medians.append(np.where(total_R > 0, found, np.median(values_N)))
        return Statistic(float(np.median(values_N)), np.concatenate(medians))

    def proportion(self, hits: ArrayLike, groups: ArrayLike, confidence: float = 0.95) -> Estimate:
        """The mean of hits in {0, 1}, which keeps an interval where all or none are hits.

        There every resample is the same and says nothing; the exact binomial bound by the number
        of groups does (C. J. Clopper and E. S. Pearson, Biometrika 26, 1934).
        """
        estimate = self.mean(hits, groups).estimate(confidence)
        tail = ((1 - confidence) / 2) ** (1 / len(np.unique(np.asarray(groups))))
        if estimate.value == 0:
            return Estimate(0.0, 0.0, 1 - tail)
        return Estimate(1.0, tail, 1.0) if estimate.value == 1 else estimate

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
        """(r, G) parts of the (R, G) counts: how often each resample drew each group."""
        random = np.random.default_rng(self.seed)
        number = len(self.groups)
        chunk = max(1, CHUNK_ELEMENTS // max(number, columns))
        for start in range(0, self.resamples, chunk):
            rows = min(chunk, self.resamples - start)
            drawn = random.integers(number, size=(rows, number))
            drawn += number * np.arange(rows)[:, None]
            yield np.bincount(drawn.ravel(), minlength=rows * number).reshape(rows, number)


def _first_above(running_RN: NDArray[np.int64], position_R: NDArray[np.int64]) -> NDArray[np.intp]:
    """For each row the first place whose running count exceeds the position."""
    first: NDArray[np.intp] = (running_RN > position_R[:, None]).argmax(1)
    return first
