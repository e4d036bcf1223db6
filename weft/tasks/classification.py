"""Classification by a model's own classifier: visual entailment, true or false, any label of a row."""

from dataclasses import dataclass
from functools import partial

from weft.core.needs import Needs
from weft.evaluation.metric import by_name
from weft.heads.output import TargetClasses
from weft.inference.results import TaskResult
from weft.tasks._accuracy import (
    ACCURACY,
    Expected,
    class_values,
    labels_of,
    measured,
    most_common,
    right_classes,
    spelled,
)
from weft.tasks._kinds import by_kind
from weft.tasks._of_classes import (
    AUROC,
    AVERAGE_PRECISION,
    BALANCED_ACCURACY,
    MACRO_F1,
    class_diagnostics,
    f1_and_balanced_accuracy,
    ranking_scores,
)
from weft.tasks._of_target import Found, OfTarget
from weft.tasks.base import SlicedConfig

KIND = "class"
"""Prefix of a label in the names of metrics."""


METRICS = (
    ACCURACY,
    by_kind(ACCURACY, KIND),
    BALANCED_ACCURACY,
    MACRO_F1,
    AUROC,
    AVERAGE_PRECISION,
)


@dataclass(frozen=True)
class ClassificationTaskConfig(SlicedConfig):
    """Classification of rows by their label.

    Metrics: accuracy, the accuracy of each class, balanced accuracy, macro F1; for each class against the rest,
    AUROC and average precision. Diagnostics: confusion matrix, calibration, class counts, errors by slice.

    Baselines: chance; the most frequent label of the measured rows; and, if the model reads several streams, the
    model itself with one of them taken from another row.
    """

    head: str = "label"
    """Head whose classes are the labels."""

    @property
    def needs(self) -> Needs:
        return Needs(heads={self.head: TargetClasses})

    def build(self) -> OfTarget:
        return OfTarget("classification", METRICS, self, self.head, _measure)


def _measure(found: Found) -> TaskResult:
    predictions, dataset = found.predictions, found.dataset
    labels = labels_of(predictions, found.members, dataset)
    expected = Expected(answers=labels, kinds=labels, kind=KIND)
    majority = {"majority": [most_common(labels)] * len(labels)}
    classes = len(class_values(predictions).classes)
    scores = [
        *f1_and_balanced_accuracy(predictions, found.bootstrap),
        *ranking_scores(predictions, found.bootstrap),
    ]
    return measured(found, found.members, dataset, predictions, expected, majority).extended(
        protocol={
            "classes": classes,
            "labels_not_known": int((right_classes(predictions) < 0).sum()),
        },
        metrics=by_name(scores),
        baselines={"chance": {ACCURACY.name: ACCURACY.scale / classes}},
        diagnostics=class_diagnostics(
            found.config,
            predictions,
            expected,
            dataset,
            found.training,
            found.target.column,
            partial(spelled, found.target),
        ),
    )
