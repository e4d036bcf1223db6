"""Metrics of predicted classes besides accuracy, and their diagnostics."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from weft.data.formats import Dataset
from weft.evaluation.bootstrap import Bootstrap, Floats, Statistic, count
from weft.evaluation.metric import Metric, Score
from weft.evaluation.one_against_rest import Ranking, one_against_rest
from weft.heads.classes import ClassValues
from weft.inference.diagnostics import Diagnostics
from weft.inference.predict import Predictions
from weft.tasks._accuracy import Expected, class_values, confidence_of, right_classes
from weft.tasks._diagnostics import class_counts, confusion, counted, reliability
from weft.tasks.base import SlicedConfig
from weft.tasks.slicing import Measured, slices

MACRO_F1 = Metric("macro_f1", said="macro F1")
BALANCED_ACCURACY = Metric("balanced_accuracy")
AUROC = Metric("auroc", said="AUROC")
AVERAGE_PRECISION = Metric("average_precision")


def f1_and_balanced_accuracy(predictions: Predictions, bootstrap: Bootstrap) -> list[Score]:
    """The mean over classes of F1 = 2 TP / (2 TP + FP + FN), and of the accuracy of the rows of a class.

    F1 counts classes that are right or predicted for some row, balanced accuracy those that are right. All answers
    that the model does not know form one more class, which is never predicted.
    """
    said_N, right_N = (
        one.numpy() + 1 for one in (class_values(predictions).predicted, right_classes(predictions))
    )
    size, groups = 1 + int(max(said_N.max(), right_N.max())), predictions.groups.numpy()
    ones_N, hits_N = np.ones(len(said_N)), (said_N == right_N).astype(np.float64)
    both, said, right = (
        np.vstack(bootstrap.totals_by(values, places, size, groups))
        for values, places in ((hits_N, right_N), (ones_N, said_N), (ones_N, right_N))
    )
    number = count(groups)
    f1, recall = _mean_ratio(2 * both, said + right), _mean_ratio(both, right)
    pairs = ((MACRO_F1, f1), (BALANCED_ACCURACY, recall))
    return [m.score(Statistic(float(v[0]), v[1:], number).estimate()) for m, v in pairs]


def _mean_ratio(above: Floats, below: Floats) -> Floats:
    """(1 + R,) the mean over columns of above / below, both (1 + R, V); the first row is over all rows.

    Columns are those that all rows have. If a resample lacks one, its value over all rows is used.
    """
    there = below[0] > 0
    with np.errstate(invalid="ignore", divide="ignore"):
        ratios = above[:, there] / below[:, there]
    mean: Floats = np.where(below[:, there] > 0, ratios, ratios[0]).mean(axis=1)
    return mean


def ranking_scores(predictions: Predictions, bootstrap: Bootstrap) -> list[Score]:
    """AUROC and average precision of each class against the rest, and their means over the classes that have a row;
    empty if no class has rows on both sides.
    """
    values, right_N = class_values(predictions), right_classes(predictions)
    known = torch.arange(len(values.classes))
    right_NV = (right_N[:, None] == known).numpy()
    found = []
    whats: dict[Ranking, Metric] = {"auroc": AUROC, "average_precision": AVERAGE_PRECISION}
    scores = values.probabilities.numpy()
    for what, metric in whats.items():
        mean = one_against_rest(what, scores, right_NV, predictions.groups, bootstrap).mean
        if mean is not None:
            found.append(metric.score(mean.estimate()))
    return found


def class_diagnostics(
    config: SlicedConfig,
    found: Predictions,
    expected: Expected,
    dataset: Dataset,
    training: Dataset | None,
    column: str,
    name: Callable[[Any], str],
) -> Diagnostics:
    """Slices of accuracy and calibration; for chosen answers also confusion and class counts.

    column: of the right answers. name: converts a value of the column to an answer.
    """
    (metric, right_N), *_ = expected.values(found.said).items()
    bootstrap = config.bootstrap(found.groups)
    sliced = Measured(metric, right_N, found.groups, found.rows)
    made = slices(sliced, dataset, config.slices, bootstrap)
    chosen = isinstance(found.values, ClassValues)
    confidence_N = confidence_of(found)
    told = "the predicted class" if chosen else "the whole answer"
    calibrated = (
        None
        if confidence_N is None
        else reliability(confidence_N, right_N, found.groups, bootstrap, told)
    )
    if not isinstance(found.values, ClassValues):
        return Diagnostics(reliability=calibrated, slices=made)
    counts = counted(training, column, lambda raw: [name(raw)])
    return Diagnostics(
        confusion=confusion(expected.answers, found.said, found.values.classes),
        reliability=calibrated,
        class_counts=class_counts(expected.answers, counts),
        slices=made,
    )
