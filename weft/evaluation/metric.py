"""The meaning of a number: its name, its unit, the better direction, and its format.

Every task declares its metrics, and every number carries its metric. So nothing has to guess from a name whether a
number is a percentage or whether lower is better.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from weft.core.errors import unknown_name
from weft.core.language import say, with_commas
from weft.core.naming import plain
from weft.evaluation.bootstrap import Bootstrap, Estimate

PERCENT = "%"
POINTS = "points"
"""Unit of numbers whose maximum is not 1, or is out of reach, times 100 as usual in the field: BLEU, CIDEr."""
RANK = "rank"
TARGET_UNIT = "unit of the target"
"""Unit of numbers in the unit of the target, which the model's head defines: see `Metric.in_unit`."""
THOUSANDTHS = "x 0.001"
"""Unit of small numbers, as the kernel distance is usually printed."""
SCALES = {PERCENT: 100.0, POINTS: 100.0, THOUSANDTHS: 1000.0}
"""Unit -> factor from a raw value to this unit; 1 for any other unit."""
FAMILY = "{}"
"""Placeholder in the name of a family of metrics for the name of a member, such as a class."""


@dataclass(frozen=True)
class Metric:
    """A metric, or a family of metrics whose members depend on the data.

    name: contains one `{}` for a family, such as `class/{}/accuracy`. unit: after multiplication of a raw value, such
    as a share in [0, 1], by `scale`. digits: after the decimal point. headline: displayed large. said: the name for
    people; derived from the name if not given. row_mean: the mean of one value for each row. A result has these values,
    and `weft compare` compares recipes by them.
    """

    name: str
    unit: str = PERCENT
    better: Literal["higher", "lower"] = "higher"
    digits: int = 1
    headline: bool = False
    said: str = ""
    row_mean: bool = False

    @property
    def scale(self) -> float:
        """The factor from a raw value to the unit."""
        return SCALES.get(self.unit, 1.0)

    @property
    def words(self) -> str:
        """The name for people: `image_to_text/recall@1` becomes `image to text, recall@1`."""
        return self.said or plain(self.name)

    @property
    def axis(self) -> str:
        """The unit, and "lower is better" where it applies, in the reader's language; "number" if there is no unit."""
        return with_commas([self.unit or "number", *self._direction])

    def with_unit(self, value: float) -> str:
        """The value as `shown`, with its unit if there is one, and "lower is better" where it applies, in the reader's
        language."""
        direction = [f"({say(one)})" for one in self._direction]
        return " ".join([self.shown(value), *([say(self.unit)] if self.unit else []), *direction])

    @property
    def _direction(self) -> list[str]:
        return ["lower is better"] if self.better == "lower" else []

    def member(self, value: str) -> "Metric":
        """Returns the member of a family with the name `value`, which may contain any characters."""
        return replace(
            self,
            name=self.name.replace(FAMILY, value, 1),
            said=self.words.replace(FAMILY, value, 1),
        )

    def called(self, name: str) -> "Metric | None":
        """Returns the metric of that name: itself or a member of this family; None if it is neither."""
        before, family, after = self.name.partition(FAMILY)
        if not family:
            return self if name == self.name else None
        value = name[len(before) : len(name) - len(after)]
        fits = value and name.startswith(before) and name.endswith(after)
        return self.member(value) if fits else None

    def of(self, part: str) -> "Metric":
        """Returns the same metric for a part of the measurement: `image_to_text/recall@1`."""
        return replace(self, name=f"{part}/{self.name}", said="")

    def in_unit(self, unit: str, digits: int) -> "Metric":
        """Returns the same metric in the target's unit, shown with this many digits, if its unit is the target's."""
        return replace(self, unit=unit, digits=digits) if self.unit == TARGET_UNIT else self

    def score(self, raw: Estimate) -> "Score":
        """Converts an estimate of raw values to a score in the unit."""
        k = self.scale
        return Score(self, Estimate(k * raw.value, k * raw.low, k * raw.high, raw.groups))

    def better_than(self, value: float, other: float) -> bool:
        """Whether `value` is better than `other`. False if either is NaN."""
        return value > other if self.better == "higher" else value < other

    def best_first(self, value: float) -> float:
        """Returns a sort key that puts the best value first."""
        return -value if self.better == "higher" else value

    def shown(self, value: float) -> str:
        """Formats a value in the unit with the metric's digits; a small value with two significant digits."""
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
        """The formatted value."""
        return self.metric.shown(self.value)

    @property
    def interval(self) -> str:
        """The formatted interval."""
        return self.estimate.interval(self.metric.digits)

    @property
    def interval_words(self) -> str:
        """The formatted interval for a sentence; see `Estimate.words`."""
        return self.estimate.words(self.metric.digits)

    def to_json(self) -> dict[str, Any]:
        return {**self.estimate.to_json(), **self.metric.to_json()}


def mean_score(
    metric: Metric, values: ArrayLike, groups: ArrayLike, bootstrap: Bootstrap | None = None
) -> Score:
    """The mean of values (N,), which are already in the unit. Shares have an interval also if all are 0 or 1.

    groups: (N,) as in `Bootstrap`; bootstrap: one for these groups, a new one if not given.
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
    """Returns the metric of that name; an exact name precedes a family. Raises WeftError that lists the known ones."""
    for metric in sorted(declared, key=lambda metric: FAMILY in metric.name):
        found = metric.called(name)
        if found is not None:
            return found
    raise unknown_name(what, name, [metric.name for metric in declared])


def same_unit(scores: Iterable[Score]) -> dict[str, list[Score]]:
    """Returns axis -> the scores that can share it."""
    found: dict[str, list[Score]] = {}
    for score in scores:
        found.setdefault(score.metric.axis, []).append(score)
    return found
