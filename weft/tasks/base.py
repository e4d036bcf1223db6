"""The protocol of tasks, and the settings that they share."""

from collections.abc import Mapping, Sequence, Sized
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor

from weft.core.config import Config, Settings
from weft.core.ranges import COUNT, at_least, require
from weft.data.formats import Dataset
from weft.data.policy import ErrorPolicy
from weft.evaluation.bootstrap import Bootstrap
from weft.evaluation.leakage import Leakage
from weft.evaluation.metric import Metric
from weft.inference.config import InferenceConfig
from weft.inference.member import Member
from weft.inference.results import TaskResult

WORST = 4
"""Number of worst errors that a result keeps, to show them."""


def check_measures(config: Settings) -> None:
    """Raises ValueError for numbers that would otherwise fail only after all rows are embedded."""
    require(config, resamples=COUNT, examples=at_least(0), seed=at_least(0))
    ks = vars(config).get("ks")
    if ks is not None and (not ks or min(ks) < 1):
        raise ValueError(f"ks is {tuple(ks)}, expected one or more numbers of at least 1")


class Task(Protocol):
    """Measures one model, or an ensemble, on a data set."""

    name: str

    @property
    def metrics(self) -> Sequence[Metric]:
        """All metrics that it may report, the most important first. A metric whose names depend on the data, such
        as the accuracy of each class, is a family.
        """
        ...

    def evaluate(
        self,
        members: Sequence[Member],
        dataset: Dataset,
        *,
        device: torch.device | str = "cpu",
        leakage: Leakage | None = None,
    ) -> TaskResult:
        """Measures the members on the data set. Raises WeftError if the data set lacks what the task needs."""
        ...


@runtime_checkable
class ReadsRows(Protocol):
    """The config of a task that declares which streams it embeds, and how the model is run."""

    @property
    def inference(self) -> InferenceConfig: ...

    @property
    def embedded(self) -> tuple[str, ...]:
        """Streams, or JOINT, whose embeddings the task compares. Streams that heads read need not be listed."""
        ...


@dataclass(frozen=True, kw_only=True)
class TaskConfig(Config[Task]):
    """The settings that all tasks have."""

    renamed_settings: ClassVar[Mapping[str, str]] = {"rows": "inference"}
    resamples: int = 2000
    """Number of bootstrap resamples."""
    seed: int = 0
    """Random seed of the bootstrap and of the displayed rows."""
    examples: int = 12
    """Rows that are kept to be shown; where answers are right or wrong, half of them of each."""
    inference: InferenceConfig = field(default_factory=InferenceConfig)
    """How the model is run."""

    def __post_init__(self) -> None:
        check_measures(self)

    @property
    def embedded(self) -> tuple[str, ...]:
        """The streams of the rows, or JOINT, whose embeddings the task compares with something."""
        return ()

    def bootstrap(self, groups: Tensor) -> Bootstrap:
        """Resamples of these groups, from the seed."""
        return Bootstrap(groups, resamples=self.resamples, seed=self.seed)

    def protocol(
        self, members: Sequence[Member], asked: Sized, found: Sized, over: str = "groups"
    ) -> dict[str, Any]:
        """The entries of the protocol that all tasks share. asked: the rows to measure; found: those that could be
        read. over: what the groups are."""
        return {
            "models": len(members),
            "left_out_unreadable": len(asked) - len(found),
            "interval": f"95% bootstrap over {over}, {self.resamples} resamples",
        }


def reading_with(settings: Config[Task], errors: ErrorPolicy) -> Config[Task]:
    """Returns the task with that policy for unreadable rows, if it has these settings."""
    if not isinstance(settings, TaskConfig):
        return settings
    return settings.replace(inference=settings.inference.replace(errors=errors))


@dataclass(frozen=True, kw_only=True)
class SlicedConfig(TaskConfig):
    """The settings of tasks that also measure parts of the rows."""

    slices: tuple[str, ...] = ()
    """Columns by whose values errors are given, too: each value of a category or tag, numbers and dates cut
    at their quartiles, texts by their number of words."""


@dataclass(frozen=True, kw_only=True)
class AlarmConfig(TaskConfig):
    """The settings of tasks whose threshold is set on the validation rows."""

    false_alarms: float = 0.05
    """Share of what is normal that may be above the threshold."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.false_alarms < 1:
            raise ValueError(
                f"false_alarms is {self.false_alarms}, expected a share between 0 and 1"
            )
