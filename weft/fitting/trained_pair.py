"""The recipe `retrieve` as a candidate of `weft fit --pair`."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from weft.architectures.model import ProjectionConfig
from weft.data.features import CacheConfig
from weft.data.policy import ErrorPolicy
from weft.data.schema import Schema
from weft.data.sources import DataSource
from weft.encoders.frozen import FrozenConfig
from weft.encoders.pretrained import PretrainedConfig
from weft.fitting.candidates import Candidate
from weft.fitting.folds import Rows
from weft.fitting.leaderboard import Measured
from weft.fitting.models import Floats
from weft.fitting.pairs import Pairs
from weft.fitting.recall import measure_vectors
from weft.fitting.result import TRIALS
from weft.fitting.settings import FitSettings
from weft.fitting.stamps import stamp_of
from weft.fitting.trained import can_be_tuned, towers_of
from weft.fitting.trained_recipe import (
    MEASURING,
    TrainedRecipe,
    TrainingRows,
    of_length,
    planned_steps,
)
from weft.inference.embedding import embed_entries
from weft.inference.member import Entry
from weft.recipes._own_streams import Towers, Tune
from weft.recipes.retrieve import EMBEDDING, finding
from weft.runs.recipe import Recipe
from weft.runs.run import load


@dataclass(frozen=True)
class TrainedPair(TrainedRecipe):
    """The recipe `retrieve` for a pair of columns. tune: how published towers are trained."""

    pairs: Pairs
    schema: Schema
    settings: FitSettings
    tune: Tune = "frozen"

    @property
    def candidate(self) -> Candidate:
        name = "retrieve, LoRA" if self.tune == "lora" else "retrieve"
        return Candidate(name, "retrieve", self.pairs.names, tune=self.tune)

    @property
    def training_rows(self) -> TrainingRows:
        table = self.pairs.table
        strata = np.zeros(len(table), dtype=np.int64)
        return TrainingRows(self.pairs.source, table, table.clusters, strata, self.pairs.seed)

    def recipe(self, source: DataSource, rows: int, steps: int) -> Recipe:
        settings = self.settings
        towers = Towers(towers_of(settings.image_model), towers_of(settings.text_model), self.tune)
        made = finding(self.schema, *self.pairs.names, towers)
        if self.tune == "frozen":
            made = self._with_features(made)
        data = replace(made.data, source=source, errors=ErrorPolicy("skip"))
        return of_length(made.replace(data=data), rows, steps, self.pairs.seed)

    def _with_features(self, made: Recipe) -> Recipe:
        """Uses the frozen published models of the linear maps, whose features are already cached."""
        data, model = made.data, made.model
        for column in self.pairs.columns:
            if isinstance(column.encoder_config, FrozenConfig | PretrainedConfig):
                name, projection = column.name, ProjectionConfig(column.dim, EMBEDDING, norm=True)
                data = replace(
                    data,
                    streams={**data.streams, name: column.modality_config},
                    cache={**data.cache, name: CacheConfig(precision="auto")},
                )
                model = model.replace(
                    encoders={**model.encoders, name: column.encoder_config},
                    projections={**model.projections, name: projection},
                )
        return made.replace(data=data, model=model)

    def folder(self, out: Path) -> Path:
        """The folder of its runs. Runs with other rows or settings have another folder."""
        pairs, settings = self.pairs, self.settings
        kinds = {name: str(self.schema.columns[name].kind) for name in pairs.names}
        stamp = stamp_of(pairs.table, kinds, settings, pairs.plan.said, self.tune)
        return out / TRIALS / f"pair-{stamp[:12]}"

    def vectors(self, run: Path, rows: Rows) -> tuple[Floats, Floats]:
        """The run's embeddings of these rows, in arrays over all rows; other rows are 0."""
        first, second = (_embedded(self.pairs, run, name, rows) for name in self.pairs.names)
        return first, second

    def measured(self, out: Path, deadline: float) -> Measured | None:
        """Trains the recipe on each fold and returns its recall; None if there is no time."""
        began, folds, place = time.monotonic(), self.pairs.plan.folds, self.folder(out)
        steps = planned_steps(place / "fold-0")
        if steps is None:
            runs = len(folds) + (len(folds) > 1)  # 1 for the final run on all rows
            steps = self.plan_steps(folds[0].train, (deadline - began) / runs, place)
        if not steps:
            return None
        found = []
        for number, fold in enumerate(folds):
            run = self.trained(fold.train, steps, place / f"fold-{number}")
            found.append(self.vectors(run, fold.held))
        return measure_vectors(self.pairs, self.candidate, found, time.monotonic() - began)

    def final(self, out: Path) -> Path:
        """Trains the run on all rows except the test rows, and returns its folder."""
        place = self.folder(out)
        steps = planned_steps(place / "fold-0") or 0
        if len(self.pairs.plan.folds) == 1:
            return place / "fold-0"
        return self.trained(self.pairs.plan.final, steps, place / "final")


def trained_pairs(pairs: Pairs, schema: Schema, settings: FitSettings) -> list[TrainedPair]:
    """The recipe, and the same with fine-tuned published towers if there are any."""
    columns = {name: schema.columns[name] for name in pairs.names}
    own = replace(schema, columns=columns)
    tunes: Sequence[Tune] = ("frozen", "lora") if can_be_tuned(settings) else ("frozen",)
    return [TrainedPair(pairs, own, settings, tune) for tune in tunes]


def _embedded(pairs: Pairs, run: Path, name: str, rows: Rows) -> Floats:
    """(N, E) embeddings of one column. A value that several rows share, such as a picture with five captions, is
    embedded once."""
    samples = pairs.table.samples
    first: dict[int, int] = {}  # value -> its index among the embedded values
    for row in rows.tolist():
        first.setdefault(id(samples[row].items[name]), row)
    embedded = [samples[row] for row in first.values()]
    place = {value: number for number, value in enumerate(first)}
    loaded = load(run)
    entries = [Entry(name, number) for number in range(len(embedded))]
    bad = MEASURING.errors.build(len(embedded))
    found = embed_entries(
        [loaded.reading(embedded)], entries, embedded, MEASURING, bad, loaded.device
    )
    unit = found.vectors[0].double().numpy()
    vectors = np.zeros((len(samples), unit.shape[1]))
    vectors[rows] = unit[[place[id(samples[row].items[name])] for row in rows.tolist()]]
    return vectors
