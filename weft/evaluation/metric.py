"""What a number means: its name, its unit, which way is better, and how it is shown.

Every task declares the metrics that it measures and every number carries the one that it is of, so nothing
has to guess from a name whether it is a percentage or whether less of it is better.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from weft.core.errors import unknown_name
from weft.core.language import say
from weft.core.naming import plain
from weft.evaluation.bootstrap import Bootstrap, Estimate

PERCENT = "%"
POINTS = "points"
"""Of numbers whose best is not 1, or not reached, times 100 as the field prints them: BLEU, CIDEr."""
RANK = "rank"
TARGET_UNIT = "unit of the target"
"""Of numbers in the unit of what is predicted, which the head of the model says: see `Metric.in_unit`."""
THOUSANDTHS = "x 0.001"
"""Of small numbers, as the field prints the kernel distance."""
SCALES = {PERCENT: 100.0, POINTS: 100.0, THOUSANDTHS: 1000.0}
"""Unit -> by what a raw value is multiplied to be in it; 1 in any other."""
FAMILY = "{}"
"""Stands in the name of a family of metrics for what its members are named by, such as a class."""


@dataclass(frozen=True)
class Metric:
    """A metric, or a family of metrics of which only the data says the members.

    name: with one `{}` for a family, such as `class/{}/accuracy`. unit: what `scale` makes of a raw
    value, such as a share in [0, 1]. digits: after the point. headline: shown large. said: how people say
    it; the name in words if not given.
    """

    name: str
    unit: str = PERCENT
    better: Literal["higher", "lower"] = "higher"
    digits: int = 1
    headline: bool = False
    said: str = ""

    @property
    def scale(self) -> float:
        """By what a raw value is multiplied to be in the unit."""
        return SCALES.get(self.unit, 1.0)

    @property
    def words(self) -> str:
        """The name as people say it: `image_to_text/recall@1` is `image to text, recall@1`."""
        return self.said or plain(self.name)

    @property
    def axis(self) -> str:
        """The unit, and the direction where it is the less usual one; "number" stands for no unit."""
        return ", ".join([self.unit or "number", *self._direction])

    def with_unit(self, value: float) -> str:
        """The value as `shown`, with the unit if there is one, and the direction where it is the less usual one, in the
        reader's language."""
        direction = [f"({say(one)})" for one in self._direction]
        return " ".join([self.shown(value), *([say(self.unit)] if self.unit else []), *direction])

    @property
    def _direction(self) -> list[str]:
        return ["lower is better"] if self.better == "lower" else []

    def member(self, value: str) -> "Metric":
        """The member of a family that is named by `value`, whatever characters it has."""
        return replace(
            self,
            name=self.name.replace(FAMILY, value, 1),
            said=self.words.replace(FAMILY, value, 1),
        )

    def called(self, name: str) -> "Metric | None":
        """The metric of that name, itself or a member of this family; None if it is neither."""
        before, family, after = self.name.partition(FAMILY)
        if not family:
            return self if name == self.name else None
        value = name[len(before) : len(name) - len(after)]
        fits = value and name.startswith(before) and name.endswith(after)
        return self.member(value) if fits else None

    def of(self, part: str) -> "Metric":
        """The same metric of a part of what is measured: `image_to_text/recall@1`."""
        return replace(self, name=f"{part}/{self.name}", said="")

    def in_unit(self, unit: str, digits: int) -> "Metric":
        """The same metric of a target in that unit, shown with so many digits, if it is in the target's."""
        return replace(self, unit=unit, digits=digits) if self.unit == TARGET_UNIT else self

    def score(self, raw: Estimate) -> "Score":
        """The number, of an estimate that is not yet in the unit."""
        k = self.scale
        return Score(self, Estimate(k * raw.value, k * raw.low, k * raw.high, raw.groups))

    def better_than(self, value: float, other: float) -> bool:
        """Is `value` better than `other`? Not where either is NaN."""
        return value > other if self.better == "higher" else value < other

    def best_first(self, value: float) -> float:
        """A key that sorts the best value first."""
        return -value if self.better == "higher" else value

    def shown(self, value: float) -> str:
        """The value, which is in the unit, with the metric's digits, or two that count if it is small."""
        small = value != 0 and abs(value) < 0.5 * 10**-self.digits
        return f"{value:.2g}" if small else f"{value:z.{self.digits}f}"

    def to_json(self) -> dict[str, Any]:
        return {"unit": self.unit, "better": self.better, "digits": self.digits}


@dataclass(frozen=True)
class Score:
    """A number with its interval, in the unit of its metric."""

    metric: Metric
    estimate: Estimate

    @property
    def value(self) -> float:
        return self.estimate.value

    @property
    def low(self) -> float:
        return self.estimate.low

    @property
    def high(self) -> float:
        return self.estimate.high

    @property
    def shown(self) -> str:
        """The value as it is printed."""
        return self.metric.shown(self.value)

    @property
    def interval(self) -> str:
        """The interval as it is printed."""
        return self.estimate.interval(self.metric.digits)

    def to_json(self) -> dict[str, Any]:
        return {**self.estimate.to_json(), **self.metric.to_json()}


def mean_score(
    metric: Metric, values: ArrayLike, groups: ArrayLike, bootstrap: Bootstrap | None = None
) -> Score:
    """The mean of values (N,), which are in the unit already; of shares with an interval also where all are 0 or 1.

    groups: (N,) as in `Bootstrap`; bootstrap: one of these groups, a new one if not given.
    """
    bootstrap = bootstrap or Bootstrap(groups)
    raw = np.asarray(values, dtype=np.float64) / metric.scale
    if metric.unit == PERCENT and raw.min() >= 0 and raw.max() <= 1:
        return metric.score(bootstrap.proportion(raw, groups))
    return metric.score(bootstrap.mean(raw, groups).estimate())


def by_name(scores: Iterable[Score]) -> dict[str, Score]:
    """Name of the metric -> the number."""
    return {score.metric.name: score for score in scores}


def find(declared: Sequence[Metric], name: str, what: str = "metric") -> Metric:
    """The metric of that name, the only one before a family. Raises WeftError that lists what there is."""
    for metric in sorted(declared, key=lambda metric: FAMILY in metric.name):
        found = metric.called(name)
        if found is not None:
            return found
    raise unknown_name(what, name, [metric.name for metric in declared])


def same_unit(scores: Iterable[Score]) -> dict[str, list[Score]]:
    """Axis -> the numbers that can share it."""
    found: dict[str, list[Score]] = {}
    for score in scores:
        found.setdefault(score.metric.axis, []).append(score)
    return found
