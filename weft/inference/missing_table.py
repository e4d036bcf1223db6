"""A task's number for each set of streams that is left: as records, as a table of text and as JSON."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weft.core.files import write_text
from weft.core.language import say
from weft.core.tables import TableColumn, TextTable
from weft.evaluation.metric import Metric, Score
from weft.inference.results import NOTEBOOK

ABSENT, ZEROS, MEAN, TOKEN = "absent", "zeros", "mean of training", "mask token"
"""What is in the place of a stream: nothing, zeros, the mean of encoded training rows, what the fusion learned for it."""
NOTHING = "none"
NOTE = "In brackets: the 95% interval"


@dataclass(frozen=True)
class MissingLine:
    """streams: that are left, or nothing. filler: what stands for the others. score: of the rows that have any of
    those left. found: the stream that is searched, of retrieval."""

    streams: tuple[str, ...]
    filler: str
    score: Score
    found: str | None = None

    @property
    def label(self) -> str:
        """The streams that are left, and what is searched by them."""
        left = " + ".join(self.streams) or say(NOTHING)
        return left if self.found is None else f"{left} → {self.found}"


@dataclass(frozen=True)
class MissingTable:
    """A task's first number for each set of streams that is left, with each filler."""

    task: str
    lines: Sequence[MissingLine]

    def __repr__(self) -> str:
        return self.table().text(NOTEBOOK)

    @property
    def metric(self) -> Metric:
        """What the lines measure."""
        return self.lines[0].score.metric

    @property
    def title(self) -> str:
        """In the reader's language."""
        task, name, unit = self.task, self.metric.name, self.metric.unit
        return say(f"{task}, where streams are missing: {name} ({unit})")

    @property
    def fillers(self) -> list[str]:
        """In the order of the lines."""
        return list(dict.fromkeys(line.filler for line in self.lines))

    def rows(self) -> list[tuple[str, list[Score | None]]]:
        """For each set of streams its label, and its score with each of the fillers."""
        scores: dict[str, dict[str, Score]] = {}
        for line in self.lines:
            scores.setdefault(line.label, {})[line.filler] = line.score
        return [(label, [of.get(f) for f in self.fillers]) for label, of in scores.items()]

    @property
    def header(self) -> list[str]:
        """Of the table, in the reader's language."""
        return [say("streams"), *map(say, self.fillers)]

    def cells(self) -> list[list[str]]:
        """Of the table: for each set of streams its label, and value and 95% interval with each filler."""
        return [[label, *map(_cell, scores)] for label, scores in self.rows()]

    def table(self) -> TextTable:
        """A row for each set of streams, a column for each filler."""
        label, *fillers = self.header
        columns = [TableColumn(label, long="whole")]
        columns += [TableColumn(filler, right=True) for filler in fillers]
        return TextTable(columns, self.cells(), title=self.title, note=say(NOTE))

    def save(self, path: Path) -> None:
        """Writes {task, lines} as JSON."""
        lines: list[dict[str, Any]] = [
            {
                "streams": list(line.streams),
                **({} if line.found is None else {"found": line.found}),
                "filler": line.filler,
                "metric": line.score.metric.name,
                **line.score.to_json(),
            }
            for line in self.lines
        ]
        found = {"task": self.task, "lines": lines}
        write_text(path, json.dumps(found, indent=2, ensure_ascii=False) + "\n")


def _cell(score: Score | None) -> str:
    if score is None:
        return ""
    return f"{score.shown} ({score.interval})" if score.interval else score.shown


def path_beside(result: Path) -> Path:
    """The file of the table of a result that is kept in this file."""
    return result.with_name(f"{result.stem}-missing.json")
