"""The chosen candidate as a run directory, which every command reads like one that was trained."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

from torch import nn

from weft.architectures.model import ModelConfig
from weft.core import config as configs
from weft.core.config import Config
from weft.core.documents import write_checked
from weft.core.interfaces import Decoder, Objective
from weft.data.learned import MODALITIES, Learned
from weft.data.policy import ErrorPolicy
from weft.data.sources import DataSource
from weft.encoders.weights import architecture
from weft.fitting.features import Column
from weft.fitting.goal import Goal
from weft.fitting.models import Fitted
from weft.fusion.side_by_side import SideBySideConfig
from weft.heads.classes import ClassOutput
from weft.heads.head import HeadConfig
from weft.heads.numbers import NumberOutput
from weft.heads.output import Output
from weft.objectives.classification import ClassificationConfig, RegressionConfig
from weft.runs.parts import MODEL, RECIPE, write_weights
from weft.runs.recipe import DataConfig, Recipe
from weft.tasks.base import Task
from weft.tasks.classification import ClassificationTaskConfig
from weft.tasks.regression import RegressionTaskConfig
from weft.training.config import RunConfig

CLASS_HEAD, NUMBER_HEAD = "label", "score"


def keep(
    folder: Path,
    columns: Sequence[Column],
    goal: Goal,
    fitted: Fitted,
    source: DataSource,
    splits: Mapping[str, str],
) -> Recipe:
    """Writes the run directory. splits: what a split is called in `source`: train, validation, test."""
    decoder, tensors = fitted.decoder(SideBySideConfig(_widths(columns)).dim)
    recipe = _recipe(columns, goal, decoder, source, splits)
    model = recipe.model.build()
    for column in columns:
        own = cast(nn.Module, column.encoder).state_dict()
        model.encoders[column.name].load_state_dict(own)
    model.head(next(iter(recipe.model.heads))).decoder.load_state_dict(tensors)
    configs.save(recipe, folder / RECIPE)
    configs.save(architecture(recipe.model), folder / MODEL, checked=True)
    write_checked(folder / MODALITIES, _learned(columns, goal, recipe))
    write_weights(model, folder, {})
    return recipe


def _widths(columns: Sequence[Column]) -> dict[str, int]:
    return {column.name: column.dim for column in columns}


def _recipe(
    columns: Sequence[Column],
    goal: Goal,
    decoder: Config[Decoder],
    source: DataSource,
    splits: Mapping[str, str],
) -> Recipe:
    number = goal.kind == "number"
    head = NUMBER_HEAD if number else CLASS_HEAD
    output: Output = NumberOutput(head) if number else ClassOutput(head)
    objective: Config[Objective] = RegressionConfig(head) if number else ClassificationConfig(head)
    task: Config[Task] = (
        RegressionTaskConfig(head=head) if number else ClassificationTaskConfig(head=head)
    )
    return Recipe(
        data=DataConfig(
            source=source,
            streams={column.name: column.modality_config for column in columns},
            targets={head: goal.target},
            optional=tuple(column.name for column in columns),
            errors=ErrorPolicy("skip"),
            validation=splits["validation"],
            test=splits["test"],
        ),
        model=ModelConfig(
            encoders={column.name: column.encoder_config for column in columns},
            fusion=SideBySideConfig(_widths(columns)),
            heads={head: HeadConfig(decoder, output)},
        ),
        objectives={head: objective},
        tasks={"regression" if number else "classification": task},
        run=RunConfig(steps=0),
    )


def _learned(columns: Sequence[Column], goal: Goal, recipe: Recipe) -> dict[str, object]:
    targets = {name: config.build() for name, config in recipe.data.targets.items()}
    for target in targets.values():
        if goal.classes:
            cast(Learned, target).restore({"classes": list(goal.classes)})  # type: ignore[arg-type]
    learned = Learned({column.name: column.modality for column in columns}, targets)
    return {name: learner.state() for name, learner in learned.learners.items()}
