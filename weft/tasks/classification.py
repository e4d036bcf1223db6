"""Classification by a model's own classifier: visual entailment, true or false, any label of a row."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from weft.core.config import Config
from weft.core.needs import Needs
from weft.data.formats import Dataset
from weft.data.targets.classes import class_name
from weft.evaluation.bootstrap import Bootstrap
from weft.evaluation.leakage import Leakage
from weft.heads.output import TargetClasses
from weft.inference.config import InferenceConfig
from weft.inference.member import Member
from weft.inference.predict import Predictions, predict
from weft.inference.results import TaskResult
from weft.tasks._accuracy import (
    ACCURACY,
    MACRO_F1,
    Expected,
    as_values,
    by_kind,
    class_values,
    macro_f1,
    most_common,
    right_classes,
    shown,
    target_of,
)
from weft.tasks.base import Task, check_measures

KIND = "class"
"""What stands before a label in the names of metrics."""


@dataclass(frozen=True)
class ClassificationTaskConfig(Config[Task]):
    """Classification of rows by their label."""

    head: str = "label"
    """Head whose classes are the labels."""
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
        return Needs(heads={self.head: TargetClasses})

    def build(self) -> "Classification":
        return Classification(self)


class Classification:
    """Accuracy, that of each class, and macro F1.

    Baselines: chance; the most frequent label of the measured rows; and, where the model reads several
    streams, the model itself with one of them of another row.
    """

    name = "classification"
    metrics = (ACCURACY, by_kind(ACCURACY, KIND), MACRO_F1)

    def __init__(self, config: ClassificationTaskConfig) -> None:
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
        found = predict(
            members,
            dataset,
            config.head,
            config.rows,
            targets=[target],
            swap=True,
            device=device,
        )
        column = members[0].targets[target].column
        labels = [class_name(dataset[row].items[column], column) for row in found.rows]
        expected = Expected(answers=labels, kinds=labels, kind=KIND)
        values = expected.values(found.said)
        bootstrap = Bootstrap(found.groups, resamples=config.resamples, seed=config.seed)
        return TaskResult(
            task=self.name,
            protocol={
                "rows": len(found.rows),
                "groups": len(set(found.groups.tolist())),
                "classes": len(class_values(found).classes),
                "labels_not_known": int((right_classes(found) < 0).sum()),
                "models": len(members),
                "left_out_unreadable": len(dataset) - len(found.rows),
                "interval": f"95% bootstrap over groups, {config.resamples} resamples",
            },
            metrics={
                **expected.scores(values, bootstrap, found.groups),
                MACRO_F1.name: macro_f1(found, bootstrap),
            },
            baselines=_baselines(found, labels),
            leakage=leakage,
            head=config.head,
            values=as_values(values, found.groups),
            predictions=shown(found, values[ACCURACY], expected, config.examples, config.seed),
        )


def _baselines(found: Predictions, labels: Sequence[str]) -> dict[str, dict[str, float]]:
    expected = Expected(answers=labels)
    baselines = {
        "chance": {ACCURACY.name: ACCURACY.scale / len(class_values(found).classes)},
        "majority": expected.means([most_common(labels)] * len(labels)),
    }
    for stream, said in found.swapped_said.items():
        baselines[f"{stream} of another"] = expected.means(said)
    return baselines
