"""Visual reasoning: is the sentence true of the picture (NLVR, NLVR2)?"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from weft.core.errors import WeftError
from weft.core.needs import Needs
from weft.core.samples import group_key
from weft.data.formats import Dataset
from weft.evaluation.leakage import Leakage
from weft.evaluation.metric import Metric
from weft.heads.output import TargetClasses
from weft.inference.member import Member
from weft.inference.predict import Predictions
from weft.inference.results import TaskResult
from weft.tasks._accuracy import (
    ACCURACY,
    Expected,
    class_values,
    labels_of,
    measured,
    most_common,
    predict_target,
)
from weft.tasks.base import TaskConfig

CONSISTENCY = Metric("consistency")


@dataclass(frozen=True)
class ReasoningConfig(TaskConfig):
    """Sentences about pictures: true or false."""

    head: str = "label"
    """Head whose classes are true and false."""
    average: str | None = None
    """Rows that share this column get the mean of their probabilities, such as "example" where one
    scene is shown in several orders; None judges every row by itself."""

    @property
    def needs(self) -> Needs:
        columns = () if self.average is None else (self.average,)
        return Needs(heads={self.head: TargetClasses}, columns=columns)

    def build(self) -> "Reasoning":
        return Reasoning(self)


class Reasoning:
    """Accuracy over pictures, and consistency: the share of groups (sentences) all of whose rows are right (Suhr et
    al. 2019, arXiv:1811.00491, section 5).

    Baselines: the more frequent label of the measured rows, and the model with the picture (how much the sentence
    gives away without its picture) or the sentence of another row.
    """

    name = "reasoning"
    metrics = (ACCURACY, CONSISTENCY)

    def __init__(self, config: ReasoningConfig) -> None:
        self.config = config

    def evaluate(
        self,
        members: Sequence[Member],
        dataset: Dataset,
        *,
        device: torch.device | str = "cpu",
        leakage: Leakage | None = None,
    ) -> TaskResult:
        """Evaluates one model, or the ensemble of several by the mean of their probabilities."""
        config = self.config
        found = predict_target(members, dataset, config.head, config, device)
        if config.average is not None:
            found = _averaged(found, dataset, config.average)
        expected = Expected(labels_of(found, members, dataset))
        consistent_G, groups_G = _consistent(expected.values(found.said)[ACCURACY], found.groups)
        consistency = config.bootstrap(found.groups).proportion(consistent_G, groups_G)
        majority = {"majority": [most_common(expected.answers)] * len(found)}
        return measured(
            self, members, dataset, found, expected, majority, over="sentences"
        ).extended(
            protocol={
                "rows": len(found),
                "sentences": len(groups_G),
                "averaged_over": config.average or "nothing: every picture is judged by itself",
            },
            metrics={CONSISTENCY.name: CONSISTENCY.score(consistency)},
            leakage=leakage,
        )


def _averaged(found: Predictions, dataset: Dataset, column: str) -> Predictions:
    """The probabilities of each row, swapped or not: the mean over the rows with the same value of `column`."""
    names = [dataset[row].items.get(column) for row in found.rows]
    if None in names:
        source = dataset[found.rows[names.index(None)]].source
        raise WeftError(
            f"{source}: has no '{column}'; probabilities are averaged over rows with the same value of it"
        )
    keys = torch.tensor([group_key(str(name)) for name in names])
    return replace(
        found,
        values=class_values(found).averaged(keys),
        swapped={s: class_values(found, one).averaged(keys) for s, one in found.swapped.items()},
        reordered={
            s: class_values(found, one).averaged(keys) for s, one in found.reordered.items()
        },
    )


def _consistent(right_N: Tensor, groups_N: Tensor) -> tuple[Tensor, Tensor]:
    """For each group whether all of its rows are right, and its number."""
    groups_G, place_N = torch.unique(groups_N, return_inverse=True)
    least_G = right_N.new_ones(len(groups_G)).scatter_reduce(0, place_N, right_N, "amin")
    return least_G, groups_G
