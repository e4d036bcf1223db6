"""The result of a task: numbers with intervals, and rows to show with them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor

from weft.core.display import Display
from weft.core.errors import WeftError
from weft.core.language import say
from weft.core.tables import TableColumn, TextTable
from weft.evaluation.bootstrap import FEW_GROUPS, Floats
from weft.evaluation.leakage import Leakage
from weft.evaluation.metric import Score
from weft.heads.drawn import DrawnValues
from weft.inference.diagnostics import Diagnostics
from weft.inference.member import Entry

LOWER = " ↓"
"""Follows the unit if lower is better."""
FEW = " *"
"""Follows an interval of too few groups."""
NOTEBOOK = 100
"""Width of a table in a notebook, in characters."""


@dataclass(frozen=True)
class Answer:
    """A retrieved result: an entry of the data set, or a label."""

    entry: Entry | str
    score: float
    right: bool


@dataclass(frozen=True)
class Example:
    """One query, the rank of its best right answer, and its first answers."""

    query: Entry
    rank: int
    answers: tuple[Answer, ...]


@dataclass(frozen=True)
class RecognisedWord:
    """A recognised word. weights: stream -> its mean weight, in [0, 1], while the word was spoken; empty without a gate.

    span: start and end in seconds; None if unknown. off: seconds by which its middle is later than the true one; None
    for a wrong word, or without reference times.
    """

    word: str
    weights: Mapping[str, float]
    span: tuple[float, float] | None = None
    off: float | None = None


@dataclass(frozen=True)
class Prediction:
    """A model's prediction for a row: the entries that it read, its answer, and the right answer.

    right is None if there is no right or wrong, as for a caption. score: the model's probability, or a metric's
    value. others: further answers with their scores, the best first. given: stream -> an input that is not an entry
    of a row, such as the candidate that the model chose. words: the words of `predicted`, if the model weighs its
    streams.
    """

    inputs: tuple[Entry, ...]
    predicted: str
    expected: tuple[str, ...]
    right: bool | None = None
    score: float | None = None
    others: tuple[tuple[str, float], ...] = ()
    given: Mapping[str, Any] = field(default_factory=dict)
    words: tuple[RecognisedWord, ...] = ()


@dataclass(frozen=True)
class Drawing:
    """A value that the model drew for a row.

    inputs: the entries from which it was generated. drawn: the display of the value. others: displays for comparison,
    such as the true value and the most similar training value.
    """

    inputs: tuple[Entry, ...]
    drawn: Display
    others: Mapping[str, Display] = field(default_factory=dict)


@dataclass(frozen=True)
class Drawn:
    """All values that a head drew: one value of the stream per row, by row number."""

    head: str
    stream: str
    rows: Sequence[int]
    values: DrawnValues


@dataclass(frozen=True)
class Values:
    """One number for each of Q rows, and their groups, both (Q,), for paired comparisons.

    of: for a metric that is not a mean over rows, the function from the sums of counts to the metric: values are
    then (Q, C), and the function maps (..., C) to (...).
    """

    values: Tensor
    groups: Tensor
    of: Callable[[Floats], Floats] | None = None

    @property
    def value(self) -> float:
        """The metric of all rows."""
        rows = self.values.double().numpy()
        return float(rows.mean() if self.of is None else self.of(rows.sum(0)))


@dataclass(frozen=True)
class Queries:
    """Every query's rank and group, both (Q,) int64."""

    rank: Tensor
    groups: Tensor


@dataclass(frozen=True)
class TaskResult:
    """Numbers with their intervals, and all that is needed to judge them.

    protocol: what was measured and how (split, sizes, captions per image). metrics: name -> the number, which
    carries its metric. baselines: baseline -> {name of metric -> value in its unit}. queries and examples: by
    direction. values: metric -> its value for each row in its unit, if it is a `row_mean`, or its counts for
    each row. predictions: some random rows to show. drawings: the same for rows for which pictures or sounds were
    drawn. drawn: all of these. worst: the worst errors, the worst first. worst_examples: the same for queries, by
    direction. head: the head that was measured, if any. similarity: the two embeddings (streams or JOINT) whose
    cosine was measured, if any. diagnostics: confused classes, calibration, class counts, errors by slice, if the
    task has them. Raises WeftError for values without a metric of their name.
    """

    task: str
    protocol: Mapping[str, Any]
    metrics: Mapping[str, Score]
    baselines: Mapping[str, Mapping[str, float]]
    leakage: Leakage | None = None
    queries: Mapping[str, Queries] = field(default_factory=dict)
    examples: Mapping[str, Sequence[Example]] = field(default_factory=dict)
    values: Mapping[str, Values] = field(default_factory=dict)
    predictions: Sequence[Prediction] = ()
    drawings: Sequence[Drawing] = ()
    drawn: Drawn | None = None
    worst: Sequence[Prediction] = ()
    worst_examples: Mapping[str, Sequence[Example]] = field(default_factory=dict)
    head: str | None = None
    similarity: tuple[str, str] | None = None
    diagnostics: Diagnostics = field(default_factory=Diagnostics)

    def __post_init__(self) -> None:
        if unknown := [name for name in self.values if name not in self.metrics]:
            names, known = ", ".join(unknown), ", ".join(self.metrics)
            raise WeftError(
                f"task '{self.task}' gives values of {names}, expected names of its metrics: {known}"
            )

    def extended(
        self,
        *,
        protocol: Mapping[str, Any] | None = None,
        metrics: Mapping[str, Score] | None = None,
        baselines: Mapping[str, Mapping[str, float]] | None = None,
        leakage: Leakage | None = None,
        diagnostics: Diagnostics | None = None,
        values: Mapping[str, Values] | None = None,
    ) -> "TaskResult":
        """The result with additional entries. New protocol and baselines are inserted before the present ones, new
        metrics after them.
        """
        return replace(
            self,
            protocol={**(protocol or {}), **self.protocol},
            metrics={**self.metrics, **(metrics or {})},
            baselines={**(baselines or {}), **self.baselines},
            leakage=leakage or self.leakage,
            diagnostics=diagnostics or self.diagnostics,
            values={**self.values, **(values or {})},
        )

    def __repr__(self) -> str:
        leak = "not audited" if self.leakage is None else self.leakage.verdict
        return f"{self.task}\nleakage from training: {leak}\n{self.table().text(NOTEBOOK)}"

    def _repr_html_(self) -> str:
        return self.table().html()

    def table(self) -> TextTable:
        """One row per metric: its value, its interval, its unit, and each baseline."""
        scores = self.metrics.items()
        columns = [
            TableColumn(
                say("metric"), long="whole"
            ),  # classes have names that differ at their ends
            TableColumn(say("value"), right=True),
            TableColumn(say("95% interval"), right=True),
            TableColumn(say("unit"), long="whole"),
            *(TableColumn(say(baseline), right=True) for baseline in self.baselines),
        ]
        rows = [
            [
                *(name, score.shown),
                score.estimate.bounds(score.metric.digits)
                + (FEW if score.estimate.warning else ""),
                say(score.metric.unit) + (LOWER if score.metric.better == "lower" else ""),
                *(
                    score.metric.shown(values[name]) if name in values else ""
                    for values in self.baselines.values()
                ),
            ]
            for name, score in scores
        ]
        notes = []
        if any(score.metric.better == "lower" for _, score in scores):
            notes.append(f"{LOWER.strip()} {say('lower is better')}")
        if any(score.estimate.warning for _, score in scores):
            said = say(
                f"fewer than {FEW_GROUPS} groups of rows: the interval is too narrow, or there is none"
            )
            notes.append(f"{FEW.strip()} {said}")
        return TextTable(columns, rows, note="\n".join(notes))

    def to_json(self) -> dict[str, Any]:
        """{task, protocol, metrics, baselines, leakage, diagnostics}; leakage is null if there was no audit."""
        return {
            "task": self.task,
            "protocol": dict(self.protocol),
            "metrics": {name: score.to_json() for name, score in self.metrics.items()},
            "baselines": {name: dict(values) for name, values in self.baselines.items()},
            "leakage": None if self.leakage is None else self.leakage.to_json(),
            "diagnostics": self.diagnostics.to_json(),
        }
