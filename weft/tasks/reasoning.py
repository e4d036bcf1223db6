"""Visual reasoning: is the sentence true of the picture (NLVR, NLVR2)?"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from weft.core.config import Config
from weft.core.errors import WeftError
from weft.core.needs import Needs
from weft.core.records import group_key
from weft.data.formats import Dataset
from weft.data.targets.classes import class_name
from weft.evaluation.bootstrap import Bootstrap
from weft.evaluation.leakage import Leakage
from weft.evaluation.metric import Metric, by_name
from weft.heads.output import TargetClasses
from weft.inference.config import InferenceConfig
from weft.inference.member import Member
from weft.inference.predict import Predictions, predict
from weft.inference.results import TaskResult
from weft.tasks._accuracy import (
    ACCURACY,
    Expected,
    as_values,
    class_values,
    most_common,
    shown,
    target_of,
)
from weft.tasks.base import Task, check_measures

CONSISTENCY = Metric("consistency")


@dataclass(frozen=True)
class ReasoningConfig(Config[Task]):
    """True or false: a sentence about a picture, beside what the sentence alone gives away."""

    head: str = "label"
    """Head whose classes are true and false."""
    average: str | None = None
    """Rows that share this column get the mean of their probabilities, such as "example" where one
    scene is shown in several orders; None judges every row by itself."""
    resamples: int = 2000
    """Of the bootstrap."""
    seed: int = 0
    """Of the bootstrap and of the rows that are shown."""
    examples: int = 12
    """Rows that are kept to be shown, half of them right, half wrong."""
    rows: InferenceConfig = field(default_factory=InferenceConfig)
    """How the model is run."""

    def __post_init__(self) -> None:
        check_measures((1,), self.resamples, self.examples)

    @property
    def needs(self) -> Needs:
        columns = () if self.average is None else (self.average,)
        return Needs(heads={self.head: TargetClasses}, columns=columns)

    def build(self) -> "Reasoning":
        return Reasoning(self)


class Reasoning:
    """Accuracy over pictures, and consistency: the share of groups (sentences) all of whose rows are
    right (Suhr et al. 2019, arXiv:1811.00491, section 5).

    Baselines: the more frequent truth of the measured rows, and the model with the picture (the
    swapped-scene check: what the sentence gives away without its picture) or the sentence of another row.
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
        target = target_of(members, config.head)
        # The target is read with the row, so that a row without one goes the way of the error policy.
        found = predict(
            members,
            dataset,
            config.head,
            config.rows,
            targets=[target],
            swap=True,
            device=device,
        )
        if config.average is not None:
            found = _averaged(found, dataset, config.average)
        column = members[0].targets[target].column
        expected = Expected([class_name(dataset[row].items[column], column) for row in found.rows])
        values = expected.values(found.said)
        right, consistent_G, groups_G = _consistent(values[ACCURACY], found.groups)
        bootstrap = Bootstrap(found.groups, resamples=config.resamples, seed=config.seed)
        return TaskResult(
            task=self.name,
            protocol={
                "rows": len(found.rows),
                "sentences": len(groups_G),
                "averaged_over": config.average or "nothing: every picture is judged by itself",
                "models": len(members),
                "left_out_unreadable": len(dataset) - len(found.rows),
                "interval": f"95% bootstrap over sentences, {config.resamples} resamples",
            },
            metrics=by_name(
                [
                    ACCURACY.score(bootstrap.proportion(right, found.groups)),
                    CONSISTENCY.score(bootstrap.proportion(consistent_G, groups_G)),
                ]
            ),
            baselines=_baselines(found, expected),
            leakage=leakage,
            head=config.head,
            values=as_values(values, found.groups),
            predictions=shown(found, right, expected, config.examples, config.seed),
        )


def _averaged(found: Predictions, dataset: Dataset, column: str) -> Predictions:
    """The probabilities of each row, swapped or not: the mean of those rows that share `column`."""
    names = [dataset[row].items.get(column) for row in found.rows]
    if None in names:
        source = dataset[found.rows[names.index(None)]].source
        raise WeftError(f"{source}: has no '{column}', by which probabilities are averaged")
    keys = torch.tensor([group_key(str(name)) for name in names])
    return replace(
        found,
        values=class_values(found).averaged(keys),
        swapped={s: class_values(found, s).averaged(keys) for s in found.swapped},
    )


def _consistent(right_N: Tensor, groups_N: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The rows' values, and of each group whether all of its rows are right, and its number."""
    groups_G, place_N = torch.unique(groups_N, return_inverse=True)
    least_G = right_N.new_ones(len(groups_G)).scatter_reduce(0, place_N, right_N, "amin")
    return right_N, least_G, groups_G


def _baselines(found: Predictions, expected: Expected) -> dict[str, dict[str, float]]:
    majority = [most_common(expected.answers)] * len(expected.answers)
    baselines = {"majority": expected.means(majority)}
    for stream, said in found.swapped_said.items():
        baselines[f"{stream} of another"] = expected.means(said)
    return baselines
