"""The input of a run's report: the runs, their results, and the data card."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from weft.core.documents import parse_json
from weft.core.errors import WeftError
from weft.core.files import read_file
from weft.core.interfaces import Modality
from weft.data.formats import Dataset
from weft.data.prepare.report import DataReport
from weft.evaluation.metric import Metric
from weft.inference.missing_table import MissingTable
from weft.inference.results import TaskResult
from weft.report import html
from weft.report.embedding_map import EmbeddingMap, Neighbours
from weft.report.examples import Rows
from weft.report.explanations import Explained
from weft.training.log import LOG

VALIDATION = "validation/"
"""Prefix of validation results in the log."""
LogLine = Mapping[str, float | None]


@dataclass(frozen=True)
class Averaged:
    """The result of `weft average`. metric: TASK/METRIC. alpha: the chosen share of the fine-tuned weights. points:
    (alpha, value of the metric on the validation split), by alpha."""

    metric: str
    alpha: float
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class RunRecord:
    """One training run.

    recipe: the whole recipe as JSON values. streams: the model's streams. data: description of the training data.
    rows: their number, if known. log: lines of log.jsonl (see `read_log`). validation: metrics of the log's
    validation numbers, TASK/METRIC. chosen: the step whose weights are kept. steps: in the recipe. facts: further
    ones, such as parameters, seed, versions. averaged: how its weights were averaged, if they were. notes: remarks
    about the rows, in sentences.
    """

    name: str
    recipe: Mapping[str, Any]
    streams: Sequence[str] = ()
    data: str = ""
    rows: int | None = None
    log: Sequence[LogLine] = ()
    validation: Sequence[Metric] = ()
    chosen: int | None = None
    steps: int | None = None
    facts: Mapping[str, html.Cell] = field(default_factory=dict)
    averaged: Averaged | None = None
    notes: Sequence[str] = ()

    @property
    def last(self) -> LogLine:
        """The last line of the log; empty if there is none."""
        return self.log[-1] if self.log else {}

    @property
    def trained(self) -> int | None:
        """The number of trained steps, according to the log."""
        step = self.last.get("step")
        return None if step is None else int(step)

    @property
    def evaluations(self) -> list[int]:
        """The steps with validation results."""
        return [
            int(line["step"] or 0)
            for line in self.log
            if any(name.startswith(VALIDATION) for name in line)
        ]


@dataclass(frozen=True)
class Measured:
    """One evaluation: its result, the rows for examples, and the modalities that display them.

    modalities: stream -> its modality. explained: number of a prediction -> its explanation. missing: the reason if
    there are none, else empty. map: of the rows' embeddings. nearest: the most similar rows in `training` for some
    rows, among `searched` rows. column: the predicted column, if there is one. without_streams: results with missing
    streams, if they were measured. strip: generated pictures between two noises. animation: values generated during
    training, as WebP.
    """

    title: str
    result: TaskResult
    dataset: Dataset
    modalities: Mapping[str, Modality] = field(default_factory=dict)
    explained: Mapping[int, Explained] = field(default_factory=dict)
    missing: str = ""
    map: EmbeddingMap | None = None
    nearest: Sequence[Neighbours] = ()
    training: Dataset | None = None
    searched: int = 0
    column: str | None = None
    without_streams: MissingTable | None = None
    strip: np.ndarray | None = None
    animation: bytes | None = None

    @property
    def rows(self) -> Rows:
        """The measured rows, for display."""
        return Rows(self.dataset, self.modalities)


@dataclass(frozen=True)
class RunReport:
    """The content of the page. runs, measured: the most important first. card: of the data."""

    name: str
    runs: Sequence[RunRecord]
    measured: Sequence[Measured]
    card: DataReport | None = None


def read_log(folder: Path | str) -> list[dict[str, float | None]]:
    """Reads the lines of a run's log.jsonl; unfinished lines and values that are not numbers are left out."""
    path = Path(folder) / LOG
    if not path.exists():
        return []
    lines: list[dict[str, float | None]] = []
    for line in read_file(path).decode(errors="replace").splitlines():
        try:
            values = parse_json(line, str(path))
        except WeftError:
            continue
        if isinstance(values, dict) and _is_number(values.get("step")):
            lines.append({k: v for k, v in values.items() if v is None or _is_number(v)})
    return lines


def chosen_step(
    log: Sequence[LogLine], monitor: str | None, metrics: Sequence[Metric]
) -> int | None:
    """Returns the step whose weights were kept: the first with the best validation result, or the last step.

    monitor: TASK/METRIC for the choice, by default the first in the log. metrics: those that may occur.
    """
    if not log:
        return None
    found = next((n for line in log for n in line if n.startswith(VALIDATION)), None)
    name = f"{VALIDATION}{monitor}" if monitor else found
    known = [one for m in metrics if name and (one := m.called(name.removeprefix(VALIDATION)))]
    best: tuple[float, float] | None = None
    for line in log:
        value, step = line.get(name or ""), line["step"]
        if value is None or step is None or not known:
            continue
        if best is None or known[0].better_than(value, best[0]):
            best = value, step
    last = log[-1]["step"] if best is None else best[1]
    return None if last is None else int(last)


def _is_number(value: object) -> bool:
    """Whether it is a finite number within the range of a float, as the log holds."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return abs(value) < sys.float_info.max
