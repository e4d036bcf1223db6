"""Finds rows that are unlike the training rows of a run, among the rows of any files."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from weft.core.errors import WeftError
from weft.core.files import kept_folder, write_text
from weft.core.interfaces import JOINT
from weft.core.tensors import checksum_of, read_tensors, write_tensors
from weft.data.formats import Dataset, Said
from weft.evaluation.conformal import Conformal
from weft.explain.novelty import NoveltyDecision
from weft.inference.novelty_scores import REFERENCES, NoveltyScorer, RowVectors, row_vectors
from weft.report.explanations import Explained
from weft.runs.check import default_tasks
from weft.runs.explaining import explain_decisions
from weft.runs.measure import training_rows, validation_rows
from weft.runs.mismatches import DETECTORS
from weft.runs.own_columns import on_new_files, require_a_stream
from weft.runs.parts import ALL, WEIGHTS, open_split
from weft.runs.recipe import Recipe
from weft.runs.trained import TrainedModel
from weft.tasks.novelty import NoveltyConfig

COLUMNS = ("id", "source", "strangeness", "p_value", "alarm")
"""Columns of the written table."""


@dataclass(frozen=True)
class RowFound:
    """A row with its score. p_value: the share of normal rows that are at least as anomalous, by the streams that this
    row has; alarm: whether it is at most the requested share."""

    row: int
    id: str
    source: str
    strangeness: float
    p_value: float
    alarm: bool


@dataclass(frozen=True)
class Novelty:
    """The rows of a data set, the most anomalous first. left_out: number of rows that cannot be read or have none of
    the streams. uncalibrated: number of rows with streams that too few validation rows have together."""

    streams: tuple[str, ...]
    score: str
    false_alarms: float
    dataset: Dataset
    rows: Sequence[RowFound]
    left_out: int
    uncalibrated: int

    @property
    def alarms(self) -> list[RowFound]:
        return [row for row in self.rows if row.alarm]

    def save(self, path: Path) -> None:
        """Writes a CSV with COLUMNS."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        for row in self.rows:
            shown = [f"{row.strangeness:.5f}", f"{row.p_value:.5f}", "yes" if row.alarm else "no"]
            writer.writerow([row.id, row.source, *shown])
        write_text(path, text.getvalue())


@dataclass(frozen=True)
class NoveltyDetector:
    """A scorer with the run's training rows, and the vectors of its normal validation rows. streams: those of the
    training rows. share: of normal rows that may become alarms."""

    run: TrainedModel
    settings: NoveltyConfig
    streams: tuple[str, ...]
    scorer: NoveltyScorer
    normal: RowVectors
    share: float

    def calibration(self, streams: Sequence[str]) -> Conformal | None:
        """Returns the scores of the validation rows by these streams alone; None if too few rows have all of them."""
        rows = self.normal.only(streams)
        if len(rows) < Conformal.least(self.share):
            return None
        return Conformal(self.scorer.of(rows)[self.settings.score])


def rows_compared(run: TrainedModel, data: Path | str, said: Said) -> Recipe:
    """Returns the run's recipe with its rows read from the files at `data`.

    Raises DataError if these have no column for any of the streams by which rows are compared.
    """
    recipe = on_new_files(run.recipe, data, said)
    streams = _streams(run, _settings(run))
    fused = run.model.fused_streams if JOINT in streams else ()
    require_a_stream(recipe, list(dict.fromkeys((*fused, *(s for s in streams if s != JOINT)))))
    return recipe


def novelty_detector(run: TrainedModel, false_alarms: float | None = None) -> NoveltyDetector:
    """Returns the detector, with the vectors of the training rows that are kept beside the run, if it was used before.

    false_alarms: maximum share of normal rows that become alarms; by default from the run's task. Raises WeftError if
    the vectors are not kept and the rows are not available, or if there are too few validation rows for the share.
    """
    settings = _settings(run)
    share = settings.false_alarms if false_alarms is None else false_alarms
    references, normal = _fitted(run, settings, _streams(run, settings), share)
    Conformal.require(len(normal), share)
    scorer = NoveltyScorer.fit(references)
    return NoveltyDetector(run, settings, tuple(scorer.normals), scorer, normal, share)


def find_novelty(detector: NoveltyDetector, recipe: Recipe) -> Novelty:
    """Scores all rows of the files that the recipe reads, see `rows_compared`.

    The scores of a row that lacks some streams are scattered otherwise than those of a row that has all. It is compared
    with validation rows by the same streams.
    """
    run, settings = detector.run, detector.settings
    rows = open_split(recipe, ALL)
    member = run.reading(rows)  # a row may lack some of the streams
    vectors = row_vectors(member, rows, detector.streams, settings.inference, run.device)
    scores_N = detector.scorer.of(vectors)[settings.score]
    has_NS = torch.stack([vectors.present[stream] for stream in detector.streams], dim=1)
    found: list[RowFound] = []
    for has in set(map(tuple, has_NS.tolist())):
        calibration = detector.calibration(tuple(compress(detector.streams, has)))
        if calibration is None:
            continue
        places = (has_NS == torch.tensor(has)).all(dim=1).nonzero()[:, 0].tolist()
        for place, p in zip(places, calibration.p_values(scores_N[places]).tolist(), strict=True):
            row, score = vectors.rows[place], float(scores_N[place])
            sample = rows[row]
            found.append(RowFound(row, sample.id, sample.source, score, p, p <= detector.share))
    found.sort(key=lambda one: (one.p_value, -one.strangeness))
    return Novelty(
        streams=detector.streams,
        score=settings.score,
        false_alarms=detector.share,
        dataset=rows,
        rows=found,
        left_out=len(rows) - len(vectors),
        uncalibrated=len(vectors) - len(found),
    )


def explain_novelty(
    detector: NoveltyDetector, found: Novelty, rows: Sequence[RowFound]
) -> list[Explained]:
    """Returns for each of these rows the parts without which it would be more like the training rows."""
    run = detector.run
    decision = NoveltyDecision(
        run.model, run.learned, detector.scorer, detector.settings.score, detector.streams
    )
    return explain_decisions([run], [decision], [found.dataset[one.row] for one in rows])


def _settings(run: TrainedModel) -> NoveltyConfig:
    known = [*run.recipe.tasks.values(), *default_tasks(run.recipe).values()]
    return next(one for one in known if isinstance(one, NoveltyConfig))


def _streams(run: TrainedModel, settings: NoveltyConfig) -> tuple[str, ...]:
    return settings.streams or tuple(s for s in run.modalities if s in run.model.encoders)


def _fitted(
    run: TrainedModel, settings: NoveltyConfig, streams: tuple[str, ...], share: float
) -> tuple[RowVectors, RowVectors]:
    """Returns the vectors of training rows and of normal validation rows. Both are kept beside the run."""
    path = kept_folder(run.folder / DETECTORS) / "novelty.safetensors"
    of: dict[str, Any] = {
        "weights": checksum_of(run.folder / WEIGHTS),
        "streams": list(streams),
        "seed": settings.seed,
        "anomalous": [settings.column, *settings.values],
    }
    if path.exists():
        tensors, state = read_tensors(path)
        if state == of:
            return _part(tensors, "references", streams), _part(tensors, "normal", streams)
    training, validation = training_rows(run), validation_rows(run)
    if training is None or validation is None:
        lacking = "training" if training is None else "validation"
        raise WeftError(
            f"{run.folder}: its {lacking} rows are not available, with which new rows are compared; run this once "
            "where they are available, and the result is saved beside the run"
        )

    def vectors(rows: Dataset, most: int | None = None) -> RowVectors:
        member, seed = run.member(rows), settings.seed
        return row_vectors(
            member, rows, streams, settings.inference, run.device, most=most, seed=seed
        )

    apart = vectors(validation, REFERENCES)
    normal = [row for row in range(len(apart)) if not settings.marks(validation[apart.rows[row]])]
    apart = apart.take(torch.tensor(normal, dtype=torch.int64))
    Conformal.require(len(apart), share)  # before the training rows are read
    references = vectors(training, REFERENCES)
    kept = {"references": references, "normal": apart}
    named = {
        f"{name}/{key}": one for name, rows in kept.items() for key, one in rows.tensors().items()
    }
    write_tensors(path, named, of)
    return references, apart


def _part(tensors: Mapping[str, Tensor], name: str, streams: Sequence[str]) -> RowVectors:
    return RowVectors.from_tensors(
        streams, {key.removeprefix(f"{name}/"): one for key, one in tensors.items()}
    )
