"""Writes the chosen candidate as a run directory. All commands read it like a trained run."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

from torch import nn

from weft.architectures.model import ModelConfig
from weft.core import config as configs
from weft.core.config import Config
from weft.core.documents import write_checked
from weft.core.interfaces import Decoder, Learner, Objective
from weft.core.naming import free_name
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
from weft.heads.tags import TagOutput
from weft.objectives.classification import ClassificationConfig, RegressionConfig
from weft.recipes import classify, regress, tag
from weft.runs.parts import MODEL, RECIPE, write_weights
from weft.runs.recipe import DataConfig, Recipe
from weft.tasks.base import Task
from weft.tasks.classification import ClassificationTaskConfig
from weft.tasks.regression import RegressionTaskConfig
from weft.tasks.tagging import TaggingConfig
from weft.training.config import RunConfig


def keep(
    folder: Path,
    columns: Sequence[Column],
    goal: Goal,
    fitted: Fitted,
    source: DataSource,
    splits: Mapping[str, str],
) -> Recipe:
    """Writes the run directory. splits: train, validation or test -> name of the split in `source`."""
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
    head, output, objective, task = _said(goal, [column.name for column in columns])
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
        tasks={task.build().name: task},
        run=RunConfig(steps=0),
    )


def _said(
    goal: Goal, streams: Sequence[str]
) -> tuple[str, Output, Config[Objective], Config[Task]]:
    """The head's name as in the recipes, its output, its objective and its task."""
    if goal.kind == "number":
        head = free_name(regress.HEAD, streams)
        return (
            head,
            NumberOutput(head, unit=goal.unit),
            RegressionConfig(head),
            RegressionTaskConfig(head=head),
        )
    if goal.kind == "tags":
        head = free_name(tag.HEAD, streams)
        return head, TagOutput(head), ClassificationConfig(head), TaggingConfig(head=head)
    head = free_name(classify.HEAD, streams)
    objective = ClassificationConfig(head)
    return head, ClassOutput(head), objective, ClassificationTaskConfig(head=head)


def _learned(columns: Sequence[Column], goal: Goal, recipe: Recipe) -> dict[str, object]:
    targets = {name: config.build() for name, config in recipe.data.targets.items()}
    for target in targets.values():
        if isinstance(target, Learner):
            target.restore(goal.state)
    learned = Learned({column.name: column.modality for column in columns}, targets)
    return {name: learner.state() for name, learner in learned.learners.items()}
