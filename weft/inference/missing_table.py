"""A task's score for each set of remaining streams: as records, as a text table and as JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from weft.core.files import write_text
from weft.core.language import say
from weft.core.tables import TableColumn, TextTable
from weft.evaluation.metric import Metric, Score
from weft.inference.results import NOTEBOOK

ABSENT, ZEROS, MEAN, TOKEN = "absent", "zeros", "mean of training", "mask token"
"""The filler in the place of a missing stream: nothing, zeros, the mean of encoded training rows, the token that
the fusion has learned.
"""
NOTHING = "none"
NOTE = "In brackets: the 95% interval"
WEIGHED = "several streams search by the weighted sum of their embeddings; the weights were chosen on validation rows"
EQUAL = "several streams search by the sum of their embeddings, as fewer than 2 validation rows beside the measured ones have every stream"


@dataclass(frozen=True)
class MissingLine:
    """streams: the remaining streams, or none. filler: the substitute for the others. score: over the rows that
    have any remaining stream. found: for retrieval, the stream that is searched. weights: for retrieval, stream -> its
    weight in the query of a row that has all remaining streams; filled ones included.
    """

    streams: tuple[str, ...]
    filler: str
    score: Score
    found: str | None = None
    weights: Mapping[str, float] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """The remaining streams, and the stream that is searched."""
        left = " + ".join(self.streams) or say(NOTHING)
        return left if self.found is None else f"{left} → {self.found}"


@dataclass(frozen=True)
class MissingTable:
    """A task's first metric for each set of remaining streams, with each filler."""

    task: str
    lines: Sequence[MissingLine]
    how: str | None = None
    """How several streams search together; None if a query is always one stream."""

    def __repr__(self) -> str:
        return self.table().text(NOTEBOOK)

    @property
    def metric(self) -> Metric:
        """The metric of the lines."""
        return self.lines[0].score.metric

    @property
    def title(self) -> str:
        """The title in the reader's language."""
        task, name, unit = self.task, self.metric.name, self.metric.unit
        return say(f"{task}, where streams are missing: {name} ({unit})")

    @property
    def fillers(self) -> list[str]:
        """The fillers, in the order of the lines."""
        return list(dict.fromkeys(line.filler for line in self.lines))

    @property
    def note(self) -> str:
        """The note below the table, in the reader's language."""
        return "; ".join(say(one) for one in (NOTE, self.how) if one)

    def rows(self) -> list[tuple[str, list[Score | None]]]:
        """For each set of streams its label, and its score with each filler."""
        scores: dict[str, dict[str, Score]] = {}
        for line in self.lines:
            scores.setdefault(line.label, {})[line.filler] = line.score
        return [(label, [of.get(f) for f in self.fillers]) for label, of in scores.items()]

    @property
    def header(self) -> list[str]:
        """The column names in the reader's language."""
        return [say("streams"), *map(say, self.fillers)]

    def cells(self) -> list[list[str]]:
        """For each set of streams its label, and value and 95% interval with each filler, as text."""
        return [[label, *map(_cell, scores)] for label, scores in self.rows()]

    def table(self) -> TextTable:
        """One row per set of streams, one column per filler."""
        label, *fillers = self.header
        columns = [TableColumn(label, long="whole")]
        columns += [TableColumn(filler, right=True) for filler in fillers]
        return TextTable(columns, self.cells(), title=self.title, note=self.note)

    def save(self, path: Path) -> None:
        """Writes {task, how, lines} as JSON. A line has streams, filler, metric and its score; of retrieval found and
        weights, too."""
        lines: list[dict[str, Any]] = [
            {
                "streams": list(line.streams),
                **(
                    {}
                    if line.found is None
                    else {"found": line.found, "weights": dict(line.weights)}
                ),
                "filler": line.filler,
                "metric": line.score.metric.name,
                **line.score.to_json(),
            }
            for line in self.lines
        ]
        found = {"task": self.task, "how": self.how, "lines": lines}
        write_text(path, json.dumps(found, indent=2, ensure_ascii=False) + "\n")


def _cell(score: Score | None) -> str:
    if score is None:
        return ""
    return f"{score.shown} ({score.interval})" if score.interval else score.shown


def path_beside(result: Path) -> Path:
    """The path of the table that belongs to a result file."""
    return result.with_name(f"{result.stem}-missing.json")
