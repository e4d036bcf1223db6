"""Shared by the recipes that predict a column: all other columns are fused, and a head reads the fusion."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypedDict

from weft.architectures.model import ModelConfig
from weft.core.config import Config
from weft.core.interfaces import Objective, Target
from weft.data.policy import ErrorPolicy
from weft.data.schema import Column, Schema
from weft.decoders.classifier import ClassifierConfig
from weft.fusion.late import Combine, LateConfig
from weft.heads.head import HeadConfig
from weft.heads.output import Output
from weft.inference.config import InferenceConfig
from weft.recipes._own import inference, lenient, run, slices_of
from weft.recipes._own_streams import DIM, Inputs, Towers, inputs_of
from weft.runs.recipe import Recipe
from weft.tasks.base import Task
from weft.training.optim import OptimConfig


class TaskSettings(TypedDict):
    """Settings that tasks share: how rows are read, and the columns for sliced scores."""

    slices: tuple[str, ...]
    inference: InferenceConfig


@dataclass(frozen=True)
class Predicted:
    """The output of a head, its objective and its task. monitor: a metric of the task."""

    head: str
    target: Config[Target]
    output: Output
    objective: Config[Objective]
    task: Config[Task]
    monitor: str
    outputs: int
    scale: tuple[float, float] = (0.0, 1.0)
    """Mean and standard deviation of a number."""


def predicting_column(
    schema: Schema,
    column: Column,
    towers: Towers,
    what: Callable[[TaskSettings], Predicted],
) -> Recipe:
    """A recipe that predicts the column from all others. what: is called with the settings that tasks share."""
    errors = lenient(schema)
    found = what({"slices": slices_of(schema, column.name), "inference": inference(errors)})
    return predicting(schema, inputs_of(schema, [column.name], towers), found, errors)


def predicting(
    schema: Schema,
    inputs: Inputs,
    what: Predicted,
    errors: ErrorPolicy,
    combine: Combine = "concatenation",
) -> Recipe:
    """A recipe with late fusion of all columns that a row has, and a classifier with one hidden layer."""
    mean, std = what.scale
    task = what.task.build().name
    decoder = ClassifierConfig(DIM, what.outputs, hidden=(DIM,), dropout=0.1, scale=std, shift=mean)
    return Recipe(
        data=inputs.data({what.head: what.target}, errors),
        model=ModelConfig(
            encoders=inputs.encoders,
            fusion=LateConfig(inputs.widths, DIM, combine=combine, norm=combine != "product"),
            heads={what.head: HeadConfig(decoder, what.output)},
        ),
        objectives={what.head: what.objective},
        tasks={task: what.task},
        optim=OptimConfig(lr=1e-3, weight_decay=0.05, warmup=0.05, ema=0.98),
        run=run(schema, f"{task}/{what.monitor}"),
    )
