"""Shared by tasks that compare a head's predictions with a column of the rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch

from weft.core.interfaces import Target
from weft.data.formats import Dataset
from weft.evaluation.bootstrap import Bootstrap
from weft.evaluation.leakage import Leakage
from weft.evaluation.metric import Metric
from weft.inference.diagnostics import Slices
from weft.inference.member import Member
from weft.inference.predict import Predictions
from weft.inference.results import TaskResult
from weft.tasks._accuracy import predict_target
from weft.tasks.base import SlicedConfig
from weft.tasks.slicing import Measured, slices


@dataclass(frozen=True)
class Found:
    """The head's predictions for the rows that have its target.

    name: of the task. config: its settings. bootstrap: resamples of the rows' groups.
    """

    name: str
    config: SlicedConfig
    members: Sequence[Member]
    dataset: Dataset
    predictions: Predictions
    bootstrap: Bootstrap

    @property
    def target(self) -> Target:
        """The target that the head predicts, with what it has learned."""
        (name,) = self.predictions.targets
        return self.members[0].targets[name]

    @property
    def training(self) -> Dataset | None:
        """The rows that the model was trained on, if they are available."""
        return self.members[0].training

    def slices(self, metric: Metric, values_N: torch.Tensor) -> tuple[Slices, ...]:
        """A metric by the columns in the settings. values_N: its value for each row."""
        found = self.predictions
        measured = Measured(metric, values_N, found.groups, found.rows)
        return slices(measured, self.dataset, self.config.slices, self.bootstrap)


class OfTarget:
    """A task that measures a head by its target: the rows are predicted once, and `measure` computes the numbers.

    Several models are an ensemble whose predictions are averaged. The result of `measure` has no head and no
    leakage, and in its protocol only what this task adds.
    """

    def __init__(
        self,
        name: str,
        metrics: Sequence[Metric],
        config: SlicedConfig,
        head: str,
        measure: Callable[[Found], TaskResult],
    ) -> None:
        self.name = name
        self.metrics = metrics
        self.config = config
        self._head = head
        self._measure = measure

    def evaluate(
        self,
        members: Sequence[Member],
        dataset: Dataset,
        *,
        device: torch.device | str = "cpu",
        leakage: Leakage | None = None,
    ) -> TaskResult:
        found = predict_target(members, dataset, self._head, self.config, device)
        bootstrap = self.config.bootstrap(found.groups)
        result = self._measure(Found(self.name, self.config, members, dataset, found, bootstrap))
        protocol = {
            "rows": len(found),
            "groups": len(set(found.groups.tolist())),
            **result.protocol,
            **self.config.protocol(members, dataset, found),
        }
        return replace(result, protocol=protocol, head=self._head, leakage=leakage)
