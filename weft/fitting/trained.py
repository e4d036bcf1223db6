"""Recipes for own tables as candidates. Each trains one run per fold, with as many steps as the time allows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np

from weft.data.column_kinds import ColumnKind
from weft.data.features import CacheConfig
from weft.data.policy import ErrorPolicy
from weft.data.schema import Schema
from weft.data.sources import DataSource
from weft.fitting.candidates import Candidate
from weft.fitting.choice import published_pictures, published_texts
from weft.fitting.features import Column
from weft.fitting.folds import Rows
from weft.fitting.goal import Goal
from weft.fitting.models import UNSEEN, Floats
from weft.fitting.settings import NO_MODEL, FitSettings
from weft.fitting.table import Ints, Table
from weft.fitting.trained_recipe import MEASURING, TrainedRecipe, TrainingRows, of_length
from weft.fusion.late import LateConfig
from weft.heads.classes import ClassValues
from weft.heads.numbers import NumberValues
from weft.heads.tags import TagValues
from weft.inference.predict import predict
from weft.recipes.answer import answer
from weft.recipes.classify import classify
from weft.recipes.regress import regress
from weft.recipes.tag import tag
from weft.runs.recipe import Recipe
from weft.runs.run import load

RECIPES: Mapping[str, Callable[..., Recipe]] = {
    "answer": answer,
    "classify": classify,
    "regress": regress,
    "tag": tag,
}
KIND_OF_GOAL: Mapping[str, ColumnKind] = {"class": "category", "number": "number", "tags": "tags"}


@dataclass(frozen=True)
class Shared:
    """Data of all trained candidates. source: of the rows of `table`. columns: features of the columns that a model may
    read."""

    source: DataSource
    schema: Schema
    table: Table
    clusters: Ints
    strata: Ints
    columns: Mapping[str, Column]
    settings: FitSettings

    def of(self, candidate: Candidate, goal: Goal) -> "TrainedCandidate":
        return TrainedCandidate(self, candidate, goal)


@dataclass(frozen=True)
class TrainedCandidate(TrainedRecipe):
    """A recipe that predicts a goal."""

    shared: Shared
    candidate: Candidate
    goal: Goal

    @property
    def training_rows(self) -> TrainingRows:
        shared = self.shared
        seed = shared.settings.seed
        return TrainingRows(shared.source, shared.table, shared.clusters, shared.strata, seed)

    def recipe(self, source: DataSource, rows: int, steps: int) -> Recipe:
        """The recipe for `rows` rows, the split `train` of the source. Split `validation` chooses the weights."""
        settings, candidate = self.shared.settings, self.candidate
        made = RECIPES[candidate.model](
            self._schema(),
            target=self.goal.column,
            image_model=towers_of(settings.image_model),
            text_model=towers_of(settings.text_model),
            tune=candidate.tune,
        )
        if candidate.tune == "frozen":
            made = self._with_features(made)
        (head,) = made.data.targets
        data = replace(
            made.data,
            source=source,
            targets={head: self.goal.target.replace(**self._known())},
            errors=ErrorPolicy("skip"),
        )
        return of_length(made.replace(data=data), rows, steps, settings.seed)

    def _schema(self) -> Schema:
        """The schema of the columns that the candidate reads, and of the target with the kind of the goal."""
        names = (*self.candidate.columns, self.goal.column)
        columns = {name: self.shared.schema.columns[name] for name in names}
        target = columns[self.goal.column]
        scale = None
        if self.goal.kind == "number":
            scale = float(np.mean(self.goal.values)), float(np.std(self.goal.values))
        columns[self.goal.column] = replace(
            target,
            kind=KIND_OF_GOAL[self.goal.kind],
            said=True,
            distinct=len(self.goal.classes) or len(np.unique(self.goal.values)),
            scale=scale,
        )
        return replace(self.shared.schema, columns=columns)

    def _known(self) -> dict[str, object]:
        """The classes in the order of the goal, also those without training rows."""
        return {"classes": self.goal.classes} if self.goal.kind == "class" else {}

    def _with_features(self, made: Recipe) -> Recipe:
        """Uses the frozen published models of the linear candidates, whose features are already cached."""
        published = {
            "image": published_pictures(self.shared.settings),
            "images": published_pictures(self.shared.settings),
            "text": published_texts(self.shared.settings),
        }
        kinds = {
            name: str(self.shared.schema.columns[name].kind) for name in self.candidate.columns
        }
        ready = [name for name, kind in kinds.items() if published.get(kind) is not None]
        if not ready:
            return made
        columns = {name: self.shared.columns[name] for name in ready}
        cached = {name: CacheConfig(precision="auto") for name in ready if kinds[name] != "images"}
        fusion = cast(LateConfig, made.model.fusion)
        widths = {**fusion.widths, **{name: column.dim for name, column in columns.items()}}
        return made.replace(
            data=replace(
                made.data,
                streams={**made.data.streams, **{n: c.modality_config for n, c in columns.items()}},
                cache={**made.data.cache, **cached},
            ),
            model=made.model.replace(
                encoders={
                    **made.model.encoders,
                    **{n: c.encoder_config for n, c in columns.items()},
                },
                fusion=fusion.replace(widths=widths, norm=True),
            ),
        )

    def outputs(self, run: Path, rows: Rows) -> Floats:
        """Outputs of the run: logits (R, V) of the classes or tags of the goal, or numbers (R, 1).

        A row with none of the columns gets equal shares or the median.
        """
        samples = [self.shared.table.samples[row] for row in rows.tolist()]
        loaded = load(run)
        found = predict(
            [loaded.reading(samples)], samples, loaded.head(), MEASURING, device=loaded.device
        )
        there, values = list(found.rows), found.values
        if isinstance(values, NumberValues):
            numbers = np.full((len(rows), 1), float(np.median(self.goal.values)))
            numbers[there, 0] = values.numbers.double().numpy()
            return numbers
        assert isinstance(values, ClassValues)
        shares = values.probabilities.double().numpy().clip(1e-12, 1 - 1e-12)
        logits = np.log(shares)
        if isinstance(values, TagValues):
            logits -= np.log1p(-shares)
        outputs = np.zeros((len(rows), len(self.goal.classes)))
        outputs[there] = UNSEEN
        known = [name for name in values.classes if name in self.goal.classes]
        own = [self.goal.classes.index(name) for name in known]
        outputs[np.ix_(there, own)] = logits[:, [values.classes.index(name) for name in known]]
        return outputs


def towers_of(model: str | None) -> str | None:
    """The published model for recipes; None for a file of MobileNetV2, which only gives features."""
    return None if model is None or model == NO_MODEL or model.endswith(".safetensors") else model


def can_be_tuned(settings: FitSettings) -> bool:
    """Whether the user named a published model whose towers can be fine-tuned."""
    return any(towers_of(model) for model in (settings.image_model, settings.text_model))
