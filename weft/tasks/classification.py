"""Classification by a model's own classifier: visual entailment, true or false, any label of a row."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from weft.core.needs import Needs
from weft.data.formats import Dataset
from weft.evaluation.leakage import Leakage
from weft.heads.output import TargetClasses
from weft.inference.member import Member
from weft.inference.results import TaskResult
from weft.tasks._accuracy import (
    ACCURACY,
    MACRO_F1,
    Expected,
    by_kind,
    class_values,
    labels_of,
    macro_f1,
    measured,
    most_common,
    predict_target,
    right_classes,
)
from weft.tasks.base import TaskConfig

KIND = "class"
"""What stands before a label in the names of metrics."""


@dataclass(frozen=True)
class ClassificationTaskConfig(TaskConfig):
    """Classification of rows by their label."""

    head: str = "label"
    """Head whose classes are the labels."""

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
        found = predict_target(members, dataset, config.head, config, device)
        labels = labels_of(found, members, dataset)
        expected = Expected(answers=labels, kinds=labels, kind=KIND)
        baselines = {"majority": [most_common(labels)] * len(labels)}
        classes = len(class_values(found).classes)
        return measured(self, members, dataset, found, expected, baselines).extended(
            protocol={
                "rows": len(found),
                "groups": len(set(found.groups.tolist())),
                "classes": classes,
                "labels_not_known": int((right_classes(found) < 0).sum()),
            },
            metrics={MACRO_F1.name: macro_f1(found, config.bootstrap(found.groups))},
            baselines={"chance": {ACCURACY.name: ACCURACY.scale / classes}},
            leakage=leakage,
        )
