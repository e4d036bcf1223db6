"""What a run's numbers are where rows lack modalities: a line for each set of streams that is left."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from weft.core.config import Config
from weft.core.errors import WeftError
from weft.core.files import write_text
from weft.core.language import say
from weft.core.needs import Needing
from weft.core.tables import TableColumn, TextTable
from weft.evaluation.metric import Score
from weft.inference.lost_streams import filled, mean_features, without
from weft.inference.member import Member
from weft.inference.results import NOTEBOOK, TaskResult
from weft.runs.measure import Measurement, task_config, training_rows
from weft.tasks.base import TaskConfig

ABSENT, MEAN = "absent", "mean of training"
MOST = 4
"""Streams of which every subset is measured; of more only all, all but one, and each alone."""


@dataclass(frozen=True)
class MissingLine:
    """streams: that are left. filler: what stands for the others. score: of the rows that have any of those left."""

    streams: tuple[str, ...]
    filler: str
    score: Score


@dataclass(frozen=True)
class MissingTable:
    """A task's first number for each set of streams that is left, with each filler."""

    task: str
    lines: Sequence[MissingLine]

    def __repr__(self) -> str:
        return self.table().text(NOTEBOOK)

    def table(self) -> TextTable:
        """A row for each set of streams, two columns for each filler."""
        fillers = list(dict.fromkeys(line.filler for line in self.lines))
        columns = [TableColumn(say("streams"), long="whole")]
        for filler in fillers:
            columns += [
                TableColumn(say(filler), right=True),
                TableColumn(say("95% interval"), right=True),
            ]
        rows = []
        for streams in dict.fromkeys(line.streams for line in self.lines):
            by_filler = {line.filler: line.score for line in self.lines if line.streams == streams}
            scores = [by_filler.get(filler) for filler in fillers]
            cells = [("", "") if s is None else (s.shown, s.interval) for s in scores]
            rows.append([" + ".join(streams), *(cell for pair in cells for cell in pair)])
        metric = self.lines[0].score.metric
        task, name, unit = self.task, metric.name, metric.unit
        title = say(f"{task}, where streams are missing: {name} ({unit})")
        return TextTable(columns, rows, title=title)

    def save(self, path: Path) -> None:
        """Writes {task, lines} as JSON."""
        lines: list[dict[str, Any]] = [
            {
                "streams": list(line.streams),
                "filler": line.filler,
                "metric": line.score.metric.name,
                **line.score.to_json(),
            }
            for line in self.lines
        ]
        found = {"task": self.task, "lines": lines}
        write_text(path, json.dumps(found, indent=2, ensure_ascii=False) + "\n")


def measure_missing(found: Measurement, task: str) -> MissingTable:
    """The first number of the task's result again for each set of the streams that its head reads.

    Rows without any stream of a set are not measured where the others are absent. The mean is that of encoded
    training rows, and missing where they are not at hand. Raises WeftError for a task without a head, or whose head
    reads one stream.
    """
    config = task_config(found.runs[0].recipe, task)
    training = [training_rows(run) for run in found.runs]
    members = [
        run.member(found.dataset, rows) for run, rows in zip(found.runs, training, strict=True)
    ]
    streams = read_by(config, members[0], task)
    first, whole = next(iter(found.result.metrics.items()))
    lines = [MissingLine(streams, ABSENT, whole)]
    means = []
    for run, rows in zip(found.runs, training, strict=True):
        if rows is not None and isinstance(config, TaskConfig):
            own = run.member(rows, rows)
            means.append(mean_features(own, rows, streams, config.inference, run.device))
    device = found.runs[0].device

    def score(altered: Sequence[Member]) -> Score:
        result: TaskResult = config.build().evaluate(altered, found.dataset, device=device)
        return result.metrics[first]

    for left in subsets(streams):
        lost = [stream for stream in streams if stream not in left]
        lines.append(MissingLine(left, ABSENT, score([without(m, lost) for m in members])))
        if len(means) == len(members) and all(set(lost) <= set(mean) for mean in means):
            fill: list[Mapping[str, Any]] = [{s: mean[s] for s in lost} for mean in means]
            altered = [filled(m, of) for m, of in zip(members, fill, strict=True)]
            lines.append(MissingLine(left, MEAN, score(altered)))
    return MissingTable(task, lines)


def read_by(config: Config[Any], member: Member, task: str) -> tuple[str, ...]:
    """The streams that the task's head reads and the data have."""
    heads = tuple(config.needs.heads) if isinstance(config, Needing) else ()
    read = member.model.streams_of(heads[0]) if len(heads) == 1 else ()
    found = tuple(stream for stream in member.sources if stream in read)
    if len(found) < 2:
        known = ", ".join(found) or "none"
        raise WeftError(
            f"task '{task}' reads these streams together: {known}; --missing expects a head that reads two or more"
        )
    return found


def subsets(streams: Sequence[str]) -> list[tuple[str, ...]]:
    """Every set of some but not all of them, the largest first; of more than MOST those of one and of all but one."""
    count = len(streams)
    sizes = range(count - 1, 0, -1) if count <= MOST else (count - 1, 1)
    return [left for size in sizes for left in combinations(streams, size)]
