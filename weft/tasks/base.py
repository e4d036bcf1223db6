"""What every task takes and what it gives."""

from collections.abc import Sequence
from typing import Protocol

import torch

from weft.data.formats import Dataset
from weft.evaluation.leakage import Leakage
from weft.evaluation.metric import Metric
from weft.inference.member import Member
from weft.inference.results import TaskResult


def check_measures(ks: Sequence[int], resamples: int, examples: int) -> None:
    """Raises ValueError for numbers that a task would stumble over only after embedding all rows."""
    if not ks or min(ks) < 1:
        raise ValueError(f"ks is {tuple(ks)}, expected one or more numbers of at least 1")
    if resamples < 1 or examples < 0:
        raise ValueError(
            f"resamples is {resamples} and examples {examples}, expected at least 1 and 0"
        )


class Task(Protocol):
    """Measures one model, or an ensemble, on a data set."""

    name: str

    @property
    def metrics(self) -> Sequence[Metric]:
        """All that it may measure, the most important first. What only the data says, such as the
        accuracy of each class, is a family."""
        ...

    def evaluate(
        self,
        members: Sequence[Member],
        dataset: Dataset,
        *,
        device: torch.device | str = "cpu",
        leakage: Leakage | None = None,
    ) -> TaskResult:
        """Raises WeftError where the data set lacks what the task needs."""
        ...
