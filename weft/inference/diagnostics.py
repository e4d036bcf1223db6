"""Details behind a task's scores: confused classes, calibration, class counts, errors by slice.

They are records of numbers. A result stores them as JSON, and the report draws them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from weft.evaluation.bootstrap import Estimate
from weft.evaluation.metric import Score


@dataclass(frozen=True)
class ConfusedPair:
    """Number of rows with the right class `right` that were predicted as `predicted`."""

    right: str
    predicted: str
    rows: int


@dataclass(frozen=True)
class Confusion:
    """How often each class was predicted, for the rows of each right class.

    labels: the L classes that are shown: all of them or, if there are many, those with the most errors, in the
    order of the model's classes. counts: L rows of L numbers, one row per right class. classes: the total number of
    classes. pairs: the most frequent errors among all classes, the most frequent first.
    """

    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    classes: int
    pairs: tuple[ConfusedPair, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether every class is shown."""
        return len(self.labels) == self.classes


@dataclass(frozen=True)
class ReliabilityBin:
    """The predictions whose confidence is above `low` and at most `high`.

    confidence: their mean probability. accuracy: the share of correct predictions. All in [0, 1].
    """

    low: float
    high: float
    confidence: float
    accuracy: float
    count: int


@dataclass(frozen=True)
class Reliability:
    """Calibration: whether predictions with probability p are right in p of all cases.

    bins: those that are not empty. ece: expected calibration error, the mean distance between confidence and
    accuracy over the predictions (C. Guo et al. 2017, arXiv:1706.04599, section 2). of: what the probability refers
    to, such as "the predicted class" or "each tag".
    """

    bins: tuple[ReliabilityBin, ...]
    ece: Score
    of: str = "the predicted class"


@dataclass(frozen=True)
class ClassCount:
    """Number of rows of a class; training is None if the training rows are not available."""

    name: str
    training: int | None
    measured: int


@dataclass(frozen=True)
class ClassCounts:
    """counts: of all classes, or of the most frequent ones, in falling order. classes: the total number of classes."""

    counts: tuple[ClassCount, ...]
    classes: int


@dataclass(frozen=True)
class Slice:
    """The measured rows with one value of a column, or with a number in a range."""

    value: str
    rows: int
    score: Score


@dataclass(frozen=True)
class Slices:
    """One metric by the values of a column: ranges in their order, other values by falling frequency.

    values: the number of different values. The last slice holds the rows of the values that are not shown.
    """

    column: str
    slices: tuple[Slice, ...]
    values: int


@dataclass(frozen=True)
class ResidualBin:
    """The rows whose predicted number is in [low, high].

    bias: mean of predicted - right. absolute: mean of |predicted - right|.
    """

    low: float
    high: float
    bias: float
    absolute: float
    rows: int


@dataclass(frozen=True)
class Residuals:
    """Errors of predicted numbers, in the unit of the target.

    bins: with equal numbers of rows, from the smallest predicted number to the largest. points: (right, predicted)
    of randomly sampled rows. unit: of all numbers.
    """

    bins: tuple[ResidualBin, ...]
    points: tuple[tuple[float, float], ...]
    unit: str = ""


@dataclass(frozen=True)
class StreamWeight:
    """The mean weight of a stream over all recognised words, in percent."""

    stream: str
    percent: Estimate


@dataclass(frozen=True)
class Diagnostics:
    """All details of a task's result; None or empty if the task does not measure them."""

    confusion: Confusion | None = None
    reliability: Reliability | None = None
    class_counts: ClassCounts | None = None
    slices: tuple[Slices, ...] = ()
    residuals: Residuals | None = None
    stream_weights: tuple[StreamWeight, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The details that are present."""
        return {name: _plain(value) for name, value in vars(self).items() if value}


def _plain(value: Any) -> Any:
    """A record as JSON values; a score includes the name of its metric."""
    if isinstance(value, Score):
        return {"metric": value.metric.name, **value.to_json()}
    if isinstance(value, Estimate):
        return value.to_json()
    if hasattr(value, "__dataclass_fields__"):
        return {name: _plain(one) for name, one in vars(value).items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(one) for one in value]
    return value
