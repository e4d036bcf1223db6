"""A whole run as one value."""

from dataclasses import dataclass, field
from pathlib import Path

from weft.architectures.model import ModelConfig
from weft.core.config import Config, Settings
from weft.core.interfaces import Modality, Objective, Target
from weft.core.needs import Needing
from weft.data.bucketing import BucketingConfig
from weft.data.chaining import ChainConfig
from weft.data.features import CacheConfig
from weft.data.mixing import MixConfig
from weft.data.noise_only import NoiseOnlyConfig
from weft.data.policy import ErrorPolicy
from weft.data.sources import DataSource
from weft.data.splicing import SpliceConfig
from weft.evaluation.metric import Metric
from weft.heads.numbers import NumberOutput
from weft.tasks.base import Task
from weft.training.config import RunConfig
from weft.training.gradients import GradientRule
from weft.training.optim import OptimConfig
from weft.training.players import PlayerConfig


@dataclass(frozen=True)
class DataConfig(Settings):
    """The data of a run, and how each stream becomes tensors."""

    source: DataSource
    """Source of the rows."""
    streams: dict[str, Config[Modality]]
    """Stream -> its modality."""
    targets: dict[str, Config[Target]] = field(default_factory=dict)
    """Targets of objectives and tasks: name -> a column and how it is read."""
    optional: tuple[str, ...] = ()
    """Streams that a row may lack. A row that lacks any other stream is an error."""
    missing: float = 0.0
    """Share of the streams in `optional` that training rows permanently lack, to simulate incomplete data. Sampled once
    for each row by run.seed; a row keeps at least one."""
    cache: dict[str, CacheConfig] = field(default_factory=dict)
    """Streams whose frozen encoder is computed once and cached."""
    errors: ErrorPolicy = field(default_factory=ErrorPolicy)
    """Policy for rows that cannot be read."""
    mix: MixConfig | None = None
    """Mixes training rows in pairs. None: off."""
    noise_only: NoiseOnlyConfig | None = None
    """Replaces some training rows by noise without speech. None: off."""
    splice: SpliceConfig | None = None
    """Splices training rows from parts of several. None: off."""
    chain: ChainConfig | None = None
    """Concatenates several recordings to one training row. None: off."""
    modality_dropout: dict[str, float] = field(default_factory=dict)
    """Stream -> probability that a training row loses it. Each row keeps at least one stream."""
    bucketing: BucketingConfig = field(default_factory=BucketingConfig)
    """Whether training batches hold rows of similar lengths."""
    by_group: bool = False
    """Whether training batches hold all rows of a group, such as the clips of a video."""
    train: str = "train"
    """Split to train on."""
    validation: str = "validation"
    """Split for choosing the best weights."""
    test: str = "test"
    """Split that `weft evaluate` measures by default."""

    def __post_init__(self) -> None:
        if self.by_group and self.bucketing.stream is not None:
            raise ValueError(
                "data.by_group and data.bucketing both choose the rows of a batch, expected one of them"
            )
        if self.splice is not None and self.chain is not None:
            raise ValueError(
                "data.splice and data.chain both put rows together, expected one of them"
            )
        most = 1 - 1 / max(1, len(self.optional))
        if not 0 <= self.missing <= most:
            raise ValueError(
                f"data.missing is {self.missing}, expected 0 to {most:.3g}: of the {len(self.optional)} streams in "
                "data.optional each row keeps one"
            )
        for stream, chance in self.modality_dropout.items():
            if not 0 <= chance < 1:
                raise ValueError(
                    f"modality_dropout of '{stream}' is {chance}, expected a probability from 0 to below 1"
                )


@dataclass(frozen=True)
class Recipe(Settings):
    """Data, model, objectives, optimizer, tasks and run: everything that a result depends on."""

    data: DataConfig
    model: ModelConfig
    objectives: dict[str, Config[Objective]]
    tasks: dict[str, Config[Task]]
    """Task name -> its settings. All tasks are measured on the validation split during training."""
    optim: OptimConfig = field(default_factory=OptimConfig)
    players: dict[str, PlayerConfig] = field(default_factory=dict)
    """Players that take turns at every step, each with its own objectives, parameters and optimizer. If empty, one
    player has everything."""
    rule: Config[GradientRule] | None = None
    """Processing of the gradient before the optimizer's step. None computes the batch in run.accumulate micro-batches
    and clips the gradient norm to optim.clip_norm. Other rules ignore both settings."""
    run: RunConfig = field(default_factory=RunConfig)
    weights: dict[str, float] = field(default_factory=dict)
    """Objective -> its weight in the total loss; 1 by default."""
    init: Path | None = None
    """Run, or folder written by `weft convert`, for fine-tuning: training starts from its weights of the same name
    and shape."""


def validation_metrics(recipe: Recipe) -> list[Metric]:
    """Returns the metrics of the recipe's tasks during training, each named TASK/METRIC, in its unit."""
    return [
        _in_unit(recipe, config, metric.of(name))
        for name, config in recipe.tasks.items()
        for metric in config.build().metrics
    ]


def _in_unit(recipe: Recipe, config: Config[Task], metric: Metric) -> Metric:
    """Returns the metric in the unit of the number that the task's head predicts, if it has one."""
    heads = config.needs.heads if isinstance(config, Needing) else ()
    for head in heads:
        output = recipe.model.heads[head].output if head in recipe.model.heads else None
        if isinstance(output, NumberOutput):
            return output.in_unit(metric)
    return metric
