"""Finds rows whose parts may not belong together, such as a picture with another one's caption, with a trained run."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from weft.core.errors import WeftError
from weft.core.files import kept_folder, write_text
from weft.core.media import Alternatives
from weft.core.samples import Sample
from weft.core.tensors import checksum_of, read_tensors, write_tensors
from weft.data.columns import value_of
from weft.data.formats import Dataset, Said
from weft.evaluation.conformal import Conformal
from weft.explain.decision import SimilarityDecision
from weft.inference.pair_scores import FITTED, PairScorer
from weft.inference.pairs import Pairs, read_pairs
from weft.report.explanations import Explained
from weft.runs.check import default_tasks
from weft.runs.explaining import explain_decisions
from weft.runs.measure import training_rows, validation_rows
from weft.runs.own_columns import on_new_files, require_a_stream
from weft.runs.parts import ALL, WEIGHTS, open_split
from weft.runs.recipe import Recipe
from weft.runs.trained import TrainedModel
from weft.tasks.mismatch import MismatchConfig

DETECTORS = "detectors"
"""Folder of a run with the fitted detector of mismatches."""
COLUMNS = ("id", "source", "stream", "caption", "text", "strangeness", "p_value", "alarm")
"""Columns of the written table. caption: the index among several captions, from 0."""


@dataclass(frozen=True)
class PairFound:
    """A pair of a row's streams. caption: its index if the row has several, from 0. p_value: the share of right pairs
    that are at least as anomalous; alarm: whether it is at most the requested share."""

    row: int
    id: str
    source: str
    caption: int | None
    text: str
    strangeness: float
    p_value: float
    alarm: bool


@dataclass(frozen=True)
class Mismatches:
    """All pairs of a data set, the most anomalous first. calibrated: number of validation pairs for the p-values. left_out: number
    of rows without a pair, since one of both streams is missing or cannot be read."""

    streams: tuple[str, str]
    score: str
    false_alarms: float
    calibrated: int
    dataset: Dataset
    pairs: Sequence[PairFound]
    left_out: int

    @property
    def alarms(self) -> list[PairFound]:
        return [pair for pair in self.pairs if pair.alarm]

    def save(self, path: Path) -> None:
        """Writes a CSV with COLUMNS, which `weft data prepare --clean.without` reads."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        for pair in self.pairs:
            number = "" if pair.caption is None else pair.caption
            alarm = "yes" if pair.alarm else "no"
            shown = [f"{pair.strangeness:.5f}", f"{pair.p_value:.5f}", alarm]
            writer.writerow([pair.id, pair.source, self.streams[1], number, pair.text, *shown])
        write_text(path, text.getvalue())


@dataclass(frozen=True)
class Detector:
    """A fitted detector of a run, and the scores of the run's validation pairs. share: of right pairs that may become
    alarms."""

    run: TrainedModel
    settings: MismatchConfig
    scorer: PairScorer
    calibration: Conformal
    share: float


def rows_compared(run: TrainedModel, data: Path | str, said: Said) -> Recipe:
    """Returns the run's recipe with its rows read from the files at `data`.

    Raises WeftError if the run does not embed two streams; DataError if the files have no column for one of them.
    """
    settings = settings_of(run)
    recipe = on_new_files(run.recipe, data, said)
    for stream in (settings.first, settings.second):
        require_a_stream(recipe, [stream])
    return recipe


def detector_of(run: TrainedModel, false_alarms: float | None = None) -> Detector:
    """Returns the detector, fitted on the run's training rows unless that was done before.

    false_alarms: maximum share of right pairs that become alarms; by default from the run's task. Raises WeftError if
    the run does not embed two streams, if neither its rows nor the fitted detector exist, or if there are too few
    validation pairs for the share. These are counted before anything is fitted.
    """
    settings = settings_of(run)
    share = settings.false_alarms if false_alarms is None else false_alarms
    scorer, normal = _detector(run, settings, share)
    Conformal.require(len(normal), share, "pairs")
    return Detector(run, settings, scorer, Conformal(normal), share)


def find_mismatches(detector: Detector, recipe: Recipe) -> Mismatches:
    """Scores all rows of the files that the recipe reads, see `rows_compared`."""
    run, settings, share = detector.run, detector.settings, detector.share
    rows = open_split(recipe, ALL)
    pairs = _pairs(run, rows, settings)
    scores_P = _scores(run, detector.scorer, pairs, settings)
    p_values = detector.calibration.p_values(scores_P)
    found = [
        _found(rows, pairs, place, float(score), float(p), bool(p <= share))
        for place, (score, p) in enumerate(zip(scores_P.tolist(), p_values, strict=True))
    ]
    found.sort(key=lambda pair: -pair.strangeness)
    streams = settings.first, settings.second
    left_out = len(rows) - len(pairs.rows)
    calibrated = len(detector.calibration)
    return Mismatches(streams, settings.score, share, calibrated, rows, found, left_out)


def explain_mismatches(
    detector: Detector, found: Mismatches, pairs: Sequence[PairFound]
) -> list[Explained]:
    """Returns for each of these pairs the parts without which the cosine of both embeddings would be higher."""
    run, second = detector.run, found.streams[1]
    rows = []
    for pair in pairs:
        sample = found.dataset[pair.row]
        raw = value_of(sample, second, run.modalities.get(second))
        if isinstance(raw, Alternatives):
            sample = replace(sample, items={**sample.items, second: raw[pair.caption or 0]})
        rows.append(sample)
    decision = SimilarityDecision(run.model, run.learned, *found.streams, negative=True)
    return explain_decisions([run], [decision], rows)


def settings_of(run: TrainedModel) -> MismatchConfig:
    """Returns the settings of the run's own task, or default settings for its first two embedded streams."""
    known = [*run.recipe.tasks.values(), *default_tasks(run.recipe).values()]
    settings = next(one for one in known if isinstance(one, MismatchConfig))
    if not {settings.first, settings.second} <= set(run.streams):
        has = ", ".join(run.streams) or "none"
        raise WeftError(
            f"{run.folder}: embeds {has}, expected two streams whose embeddings can be compared "
            "(such as a run of the recipe retrieve, clip or flickr8k)"
        )
    return settings


def _detector(
    run: TrainedModel, settings: MismatchConfig, share: float
) -> tuple[PairScorer, Tensor]:
    """Returns the detector fitted on the training rows, and the scores of the validation rows' own pairs. Both are
    kept beside the run."""
    path = kept_folder(run.folder / DETECTORS) / "mismatch.safetensors"
    of: dict[str, Any] = {
        "weights": checksum_of(run.folder / WEIGHTS),
        "streams": [settings.first, settings.second],
        "head": settings.head,
        "score": settings.score,
        "seed": settings.seed,
    }
    if path.exists():
        tensors, state = read_tensors(path)
        if state == of:
            scorer = PairScorer.from_tensors(
                (settings.first, settings.second), settings.head, tensors
            )
            return scorer, tensors["normal"]
    training, validation = training_rows(run), validation_rows(run)
    if training is None or validation is None:
        lacking = "training" if training is None else "validation"
        raise WeftError(
            f"{run.folder}: its {lacking} rows are not available, but mismatch detection is fitted on them; run "
            "this once where they are available, and the result is saved beside the run"
        )
    held_out = _pairs(run, validation, settings)
    Conformal.require(len(held_out.own), share, "pairs")
    scorer = PairScorer.fit(
        _pairs(run, training, settings, FITTED),
        predicting=True,
        head=settings.head or None,
        seed=settings.seed,
    )
    normal = _scores(run, scorer, held_out, settings)
    write_tensors(path, {**scorer.tensors(), "normal": normal}, of)
    return scorer, normal


def _pairs(
    run: TrainedModel, rows: Dataset, settings: MismatchConfig, most: int | None = None
) -> Pairs:
    return read_pairs(
        run.member(rows),
        rows,
        (settings.first, settings.second),
        settings.inference,
        run.device,
        keep=bool(settings.head),
        most=most,
        seed=settings.seed,
    )


def _scores(
    run: TrainedModel, scorer: PairScorer, pairs: Pairs, settings: MismatchConfig
) -> Tensor:
    member, inference = run.reading([]), settings.inference
    found = scorer.of(member, pairs.first, pairs.second, pairs.own, inference, run.device)
    return found[settings.score]


def _found(
    rows: Dataset, pairs: Pairs, place: int, score: float, p_value: float, alarm: bool
) -> PairFound:
    entry = pairs.second.entries[int(pairs.own[place, 1])]
    sample = rows[entry.row]
    raw = sample.items.get(entry.stream)
    several = isinstance(raw, Alternatives)
    return PairFound(
        row=entry.row,
        id=sample.id,
        source=sample.source,
        caption=entry.alternative if several else None,
        text=_text(sample, entry.stream, entry.alternative),
        strangeness=score,
        p_value=p_value,
        alarm=alarm,
    )


def _text(sample: Sample, stream: str, alternative: int | None) -> str:
    """Returns the text of the stream; empty if it is not a text."""
    raw = sample.items.get(stream)
    value = raw[alternative or 0] if isinstance(raw, Alternatives) else raw
    return value if isinstance(value, str) else ""
