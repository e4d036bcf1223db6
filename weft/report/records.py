"""What a run's report is drawn from: the runs, what was measured of them, and the data's card."""

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
"""Stands in the log before what validation measured."""
LogLine = Mapping[str, float | None]


@dataclass(frozen=True)
class Averaged:
    """The choice of `weft average`. metric: TASK/METRIC. alpha: the chosen share of the fine-tuned weights.
    points: (alpha, value of the metric on the validation split), by alpha."""

    metric: str
    alpha: float
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class RunRecord:
    """One training run.

    recipe: the whole recipe as JSON values. streams: what the model reads. data: what it was trained on,
    in words. rows: how many, if that is known. log: lines of log.jsonl (see `read_log`). validation: what
    the log's validation numbers are, TASK/METRIC. chosen: the step whose weights are kept. steps: that the
    recipe asks for. facts: what else should be known, such as parameters, seed, versions. averaged: how its
    weights were averaged, where they were. notes: what should be known of the rows, in sentences.
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
        """The last line of the log; empty where there is none."""
        return self.log[-1] if self.log else {}

    @property
    def trained(self) -> int | None:
        """The steps that were trained, as far as the log says."""
        step = self.last.get("step")
        return None if step is None else int(step)

    @property
    def evaluations(self) -> list[int]:
        """The steps at which validation measured something."""
        return [
            int(line["step"] or 0)
            for line in self.log
            if any(name.startswith(VALIDATION) for name in line)
        ]


@dataclass(frozen=True)
class Measured:
    """One evaluation: what it came to, the rows from which examples are shown, and what shows them.

    modalities: stream -> its modality. explained: number of a prediction -> what it rests on. missing:
    why none is explained, or nothing. map: of the rows' embeddings. nearest: the training rows most like some
    rows, of `training`, among `searched` of which they were looked for. column: what is predicted, if it is
    a column. without_streams: the numbers where streams are missing, if they were measured. strip: pictures
    drawn on the way from one noise to another. animation: what was drawn while the run was trained, as WebP.
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
        """The measured rows, as they are shown."""
        return Rows(self.dataset, self.modalities)


@dataclass(frozen=True)
class RunReport:
    """Everything that the page shows. runs, measured: the most important first. card: of the data."""

    name: str
    runs: Sequence[RunRecord]
    measured: Sequence[Measured]
    card: DataReport | None = None


def read_log(folder: Path | str) -> list[dict[str, float | None]]:
    """The lines of a run's log.jsonl; what is unfinished or no number is left out."""
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
    """The step whose weights were kept: that of the first best validation number, or the last step.

    monitor: TASK/METRIC that chose, the first of the log if not given. metrics: what may be measured.
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
    """A finite number, as the log holds them: none is beyond what a float can hold."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return abs(value) < sys.float_info.max
