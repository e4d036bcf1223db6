"""Predicts the rows of a data set and collects the results in a table, one line for each row."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weft.core.errors import DataError, WeftError
from weft.core.files import write_text
from weft.core.samples import Sample
from weft.data.columns import value_of
from weft.data.formats import Dataset
from weft.data.policy import ErrorPolicy
from weft.heads.classes import ClassValues
from weft.heads.numbers import NumberValues
from weft.inference.config import BATCH, InferenceConfig
from weft.inference.predict import Predictions, predict
from weft.inference.rows import Selection
from weft.runs.dialogs import rank, ranks, streams_asked
from weft.runs.run import Run

MOST_CLASSES = 50
"""Maximum number of classes with a probability column each; beyond it, only the predicted class has one."""


@dataclass(frozen=True)
class PredictedTable:
    """header and rows: of a table. left_out: number of unreadable rows, and of rows without any input."""

    header: tuple[str, ...]
    rows: Sequence[tuple[Any, ...]]
    left_out: int

    def csv(self) -> str:
        """The table as CSV."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(self.header)
        writer.writerows(self.rows)
        return out.getvalue()

    def save(self, path: Path) -> None:
        write_text(path, self.csv())


def predict_rows(run: Run, dataset: Dataset, head: str | None = None) -> PredictedTable:
    """Predicts every readable row with the head (by default the first). A run that ranks answers chooses the best.

    Unreadable rows, and rows that lack a required stream, are named and left out. Raises WeftError if no row is left,
    or if the rows have none of the columns that the run reads.
    """
    streams = streams_asked(run, head)
    _require_columns(run, dataset, streams)
    rows = list(_readable(dataset))
    config = InferenceConfig(batch_size=BATCH, workers=2, errors=ErrorPolicy("skip", limit=1.0))

    def check(sample: Sample) -> None:
        lacking = [s for s in streams if value_of(sample, s, run.modalities.get(s)) is None]
        needed = [s for s in lacking if s not in run.optional]
        if needed or len(lacking) == len(streams):
            stream, known = (needed or lacking)[0], ", ".join(sample.items) or "nothing"
            raise DataError(f"has no '{stream}', it has: {known}", source=sample.source)

    if head is None and ranks(run):
        ranked = rank(run, rows, config, check)
        best = [of_row[0] for of_row in ranked.answers]
        lines = [(rows[n].id, *one) for n, one in zip(ranked.rows, best, strict=True)]
        written = [(name, said, f"{cosine:.6f}") for name, said, cosine in lines]
        return PredictedTable(("id", "prediction", "cosine"), written, len(dataset) - len(written))
    selection = Selection(check=check)
    members, name = [run.reading(rows)], run.head(head)
    found = predict(members, rows, name, config, selection=selection, device=run.device)
    return _table(found, len(dataset))


def _readable(dataset: Dataset) -> Iterator[Sample]:
    for row in range(len(dataset)):
        try:
            yield dataset[row]
        except DataError:
            continue


def _require_columns(run: Run, dataset: Dataset, streams: Sequence[str]) -> None:
    first = None
    for sample in _readable(dataset):
        values = (value_of(sample, s, run.modalities.get(s)) for s in streams)
        if any(value is not None for value in values):
            return
        first = first or sample
    if first is not None:
        raise WeftError(
            f"{first.source}: has none of the columns that this run reads ({', '.join(streams)}); it has: "
            f"{', '.join(first.items) or 'nothing'}"
        )


def _table(found: Predictions, rows: int) -> PredictedTable:
    values = found.values
    header: tuple[str, ...] = ("id", "prediction")
    lines: list[tuple[Any, ...]]
    if isinstance(values, ClassValues):
        shown = values.classes if len(values.classes) <= MOST_CLASSES else ()
        header = (*header, "probability", *(f"p({name})" for name in shown))
        lines = [
            (
                name,
                values.said(row),
                *(f"{p:.6f}" for p in _probabilities(values, row, bool(shown))),
            )
            for row, name in enumerate(found.ids)
        ]
    elif isinstance(values, NumberValues):
        numbers = values.numbers.tolist()
        unit = (values.unit,) if values.unit else ()
        header = (*header, *("unit" for _ in unit))
        lines = [(name, f"{n:.9g}", *unit) for name, n in zip(found.ids, numbers, strict=True)]
    else:
        lines = list(zip(found.ids, found.said, strict=True))
    return PredictedTable(header, lines, rows - len(lines))


def _probabilities(values: ClassValues, row: int, every: bool) -> list[float]:
    """Returns the probability of the most probable class, and those of all classes if `every`."""
    of_row = values.probabilities[row]
    return [float(of_row.max()), *(of_row.tolist() if every else ())]
