"""Shared by the recipes that predict a column: every column of the table is fused, and a head reads that."""

from dataclasses import dataclass

from weft.architectures.model import ModelConfig
from weft.core.config import Config
from weft.core.interfaces import Objective, Target
from weft.data.policy import ErrorPolicy
from weft.data.schema import Schema
from weft.decoders.classifier import ClassifierConfig
from weft.fusion.late import Combine, LateConfig
from weft.heads.head import HeadConfig
from weft.heads.output import Output
from weft.recipes._own import DIM, Inputs, run
from weft.runs.recipe import Recipe
from weft.tasks.base import Task
from weft.training.optim import OptimConfig


@dataclass(frozen=True)
class Predicted:
    """What a head predicts, by what it learns it, and what is measured. monitor: TASK/METRIC."""

    head: str
    target: Config[Target]
    output: Output
    objective: Config[Objective]
    tasks: dict[str, Config[Task]]
    monitor: str
    outputs: int
    scale: tuple[float, float] = (0.0, 1.0)
    """Mean and standard deviation of a number."""


def predicting(
    schema: Schema,
    inputs: Inputs,
    what: Predicted,
    errors: ErrorPolicy,
    combine: Combine = "concatenation",
) -> Recipe:
    """Late fusion of all columns that the row has, and a classifier with a hidden layer."""
    mean, std = what.scale
    decoder = ClassifierConfig(DIM, what.outputs, hidden=(DIM,), dropout=0.1, scale=std, shift=mean)
    return Recipe(
        data=inputs.data({what.head: what.target}, errors),
        model=ModelConfig(
            encoders=inputs.encoders,
            fusion=LateConfig(inputs.widths, DIM, combine=combine, norm=combine != "product"),
            heads={what.head: HeadConfig(decoder, what.output)},
        ),
        objectives={what.head: what.objective},
        tasks=what.tasks,
        optim=OptimConfig(lr=1e-3, weight_decay=0.05, warmup=0.05, ema=0.98),
        run=run(schema, what.monitor),
    )
