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
    """What is read, and how each stream of it becomes tensors."""

    source: DataSource
    """Where the rows come from."""
    streams: dict[str, Config[Modality]]
    """Stream -> its modality."""
    targets: dict[str, Config[Target]] = field(default_factory=dict)
    """What objectives and tasks compare predictions with: name -> a column and how it is read."""
    optional: tuple[str, ...] = ()
    """Streams that a row may lack; of others a missing one is an error of the row."""
    missing: float = 0.0
    """Share of the streams in `optional` that training rows lack for good, as in data that were gathered so; drawn by
    run.seed once for each row, which keeps at least one."""
    cache: dict[str, CacheConfig] = field(default_factory=dict)
    """Streams whose frozen encoder is computed once and kept."""
    errors: ErrorPolicy = field(default_factory=ErrorPolicy)
    """What happens to a row that cannot be read."""
    mix: MixConfig | None = None
    """Training rows are mixed in pairs; None: they are not."""
    noise_only: NoiseOnlyConfig | None = None
    """Some training rows become noise in which nothing is said; None: none does."""
    splice: SpliceConfig | None = None
    """Training rows are put together of parts of several; None: they are not."""
    chain: ChainConfig | None = None
    """Training rows are several recordings, one after another; None: they are not."""
    modality_dropout: dict[str, float] = field(default_factory=dict)
    """Stream -> probability that a training row loses it; each row keeps at least one stream."""
    bucketing: BucketingConfig = field(default_factory=BucketingConfig)
    """Whether training batches hold rows of like lengths."""
    by_group: bool = False
    """Whether training batches hold all rows of a group together, such as the clips of a video."""
    train: str = "train"
    """Split to train on."""
    validation: str = "validation"
    """Split that chooses the best weights."""
    test: str = "test"
    """Split that `weft evaluate` measures unless told otherwise."""

    def __post_init__(self) -> None:
        if self.by_group and self.bucketing.stream is not None:
            raise ValueError(
                "data.by_group and data.bucketing both say which rows are in a batch, expected one of them"
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
    """Task name -> its settings; all are measured on the validation split while training."""
    optim: OptimConfig = field(default_factory=OptimConfig)
    players: dict[str, PlayerConfig] = field(default_factory=dict)
    """Players that take turns at every step, each with objectives, parameters and an optimizer of its own;
    if empty, one has everything."""
    rule: Config[GradientRule] | None = None
    """What is done with the gradient before the optimizer's step. None computes the batch in run.accumulate
    micro-batches and clips the norm of its gradient to optim.clip_norm; another rule reads neither."""
    run: RunConfig = field(default_factory=RunConfig)
    weights: dict[str, float] = field(default_factory=dict)
    """Objective -> its weight in the total loss; 1 where none is given."""
    init: Path | None = None
    """Run, or folder that `weft convert` wrote, whose weights (of the same name and shape) training
    starts from: fine-tuning."""


def validation_metrics(recipe: Recipe) -> list[Metric]:
    """What the recipe's tasks measure while it trains, each under TASK/METRIC and in its unit."""
    return [
        _in_unit(recipe, config, metric.of(name))
        for name, config in recipe.tasks.items()
        for metric in config.build().metrics
    ]


def _in_unit(recipe: Recipe, config: Config[Task], metric: Metric) -> Metric:
    """The metric in the unit of the number that the task's head gives, where there is one."""
    heads = config.needs.heads if isinstance(config, Needing) else ()
    for head in heads:
        output = recipe.model.heads[head].output if head in recipe.model.heads else None
        if isinstance(output, NumberOutput):
            return output.in_unit(metric)
    return metric
