"""Classification by a model's own classifier: visual entailment, true or false, any label of a row."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from weft.core.needs import Needs
from weft.data.formats import Dataset
from weft.evaluation.leakage import Leakage
from weft.evaluation.metric import by_name
from weft.heads.output import TargetClasses
from weft.inference.member import Member
from weft.inference.results import TaskResult
from weft.tasks._accuracy import (
    ACCURACY,
    Expected,
    by_kind,
    class_values,
    labels_of,
    measured,
    most_common,
    predict_target,
    right_classes,
)
from weft.tasks._of_classes import (
    AUROC,
    AVERAGE_PRECISION,
    BALANCED_ACCURACY,
    MACRO_F1,
    class_diagnostics,
    f1_and_balanced_accuracy,
    ranking_scores,
)
from weft.tasks.base import SlicedConfig

KIND = "class"
"""What stands before a label in the names of metrics."""


@dataclass(frozen=True)
class ClassificationTaskConfig(SlicedConfig):
    """Classification of rows by their label."""

    head: str = "label"
    """Head whose classes are the labels."""

    @property
    def needs(self) -> Needs:
        return Needs(heads={self.head: TargetClasses})

    def build(self) -> "Classification":
        return Classification(self)


class Classification:
    """Accuracy, that of each class, balanced accuracy, macro F1, and, of each class against the rest, AUROC
    and average precision. Behind them: confusion matrix, calibration, class counts, errors by slice.

    Baselines: chance; the most frequent label of the measured rows; and, where the model reads several
    streams, the model itself with one of them of another row.
    """

    name = "classification"
    metrics = (
        ACCURACY,
        by_kind(ACCURACY, KIND),
        BALANCED_ACCURACY,
        MACRO_F1,
        AUROC,
        AVERAGE_PRECISION,
    )

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
        bootstrap = config.bootstrap(found.groups)
        scores = [*f1_and_balanced_accuracy(found, bootstrap), *ranking_scores(found, bootstrap)]
        (target,) = found.targets
        return measured(self, members, dataset, found, expected, baselines).extended(
            protocol={
                "rows": len(found),
                "groups": len(set(found.groups.tolist())),
                "classes": classes,
                "labels_not_known": int((right_classes(found) < 0).sum()),
            },
            metrics=by_name(scores),
            baselines={"chance": {ACCURACY.name: ACCURACY.scale / classes}},
            leakage=leakage,
            diagnostics=class_diagnostics(
                config,
                found,
                expected,
                dataset,
                members[0].training,
                members[0].targets[target].column,
            ),
        )
