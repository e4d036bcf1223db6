"""Scores of a candidate's outputs for each row, so that two candidates can be compared paired by row.

A mean over rows has a score for each row. Average precision and F1 do not, so they are linearised: a row's score is the
value plus N times its derivative with respect to the weight of the row (A. C. Davison and D. V. Hinkley, Bootstrap
Methods and their Application, 1997, section 2.7.2). The mean of these scores is the value. In a resample their mean
changes like the value, to first order.
"""

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from weft.evaluation.metric import Metric
from weft.evaluation.one_against_rest import average_precision_influence
from weft.fitting.goal import Goal
from weft.fitting.models import Floats, row_losses
from weft.fitting.table import Ints
from weft.heads.tags import THRESHOLD, best_threshold
from weft.tasks._accuracy import ACCURACY
from weft.tasks._of_classes import MACRO_F1
from weft.tasks.regression import MAE, RMSE
from weft.tasks.tagging import MEAN_AVERAGE_PRECISION, MICRO_F1

PARTS = 5
"""Number of parts of the comparison rows for choosing the thresholds of tags."""
LOG_LOSS = Metric("log_loss", "", better="lower", digits=3)


def metrics_of(goal: Goal) -> tuple[Metric, ...]:
    """The metric that sorts the candidates, and the other metrics. Errors have three significant digits."""
    if goal.kind == "tags":
        return MEAN_AVERAGE_PRECISION, MICRO_F1, MACRO_F1
    if goal.kind == "class":
        return ACCURACY, LOG_LOSS
    spread = float(np.std(goal.values))
    digits = min(max(2 - math.floor(math.log10(spread)), 0), 6)
    return MAE.in_unit(goal.unit, digits), RMSE.in_unit(goal.unit, digits)


def row_scores(outputs: Floats, values: NDArray[Any], goal: Goal) -> Floats:
    """(N,) scores whose mean is the first metric: 1 for a right class, otherwise 0; the absolute error; for tags the
    linearised mean average precision."""
    if goal.kind == "tags":
        return _average_precision(outputs, values > 0.5)
    if goal.kind == "number":
        return np.asarray(np.abs(outputs[:, 0] - values))
    return np.asarray(outputs.argmax(axis=1) == values, dtype=np.float64)


def row_errors(outputs: Floats, values: NDArray[Any], goal: Goal) -> Floats:
    """(N,) error of each row: 1 or 0, the absolute error, or the share of wrong tags."""
    if goal.kind == "tags":
        return np.asarray(((outputs > 0) != (values > 0.5)).mean(axis=1))
    scores = row_scores(outputs, values, goal)
    return scores if goal.kind == "number" else 1 - scores


def other_scores(
    outputs: Floats, values: NDArray[Any], goal: Goal, clusters: Ints
) -> tuple[float, ...]:
    """The metrics besides the first one, in their units. clusters: of the rows."""
    if goal.kind == "tags":
        chosen = chosen_tags(outputs, values > 0.5, clusters)
        return tuple(100 * value for value in f1_of_tags(chosen, values > 0.5))
    mean = float(row_losses(outputs, values, goal).mean())
    return (math.sqrt(mean) if goal.kind == "number" else mean,)


def threshold_of(outputs: Floats, right: NDArray[np.bool_]) -> float:
    """The minimum probability of a predicted tag with the highest micro F1. outputs: logits (N, V)."""
    return best_threshold(torch.from_numpy(outputs).sigmoid(), torch.from_numpy(right))


def chosen_tags(outputs: Floats, right: NDArray[np.bool_], clusters: Ints) -> NDArray[np.bool_]:
    """(N, V) the predicted tags. Each fifth of the clusters uses the threshold that is best on the other rows. So no
    row influences its own threshold."""
    part = np.unique(clusters, return_inverse=True)[1] % PARTS
    chosen = np.zeros(right.shape, dtype=np.bool_)
    for number in np.unique(part):
        held = part == number
        threshold = THRESHOLD if held.all() else threshold_of(outputs[~held], right[~held])
        chosen[held] = outputs[held] >= np.log(threshold / (1 - threshold))
    return chosen


def f1_of_tags(chosen: NDArray[np.bool_], right: NDArray[np.bool_]) -> tuple[float, float]:
    """Micro F1, and macro F1 over the tags that some row has or is predicted to have. chosen, right: (N, V)."""
    both, either = (chosen & right).sum(0), chosen.sum(0) + right.sum(0)
    there = either > 0
    if not there.any():
        return 0.0, 0.0
    return float(2 * both.sum() / either.sum()), float((2 * both[there] / either[there]).mean())


def _average_precision(outputs: Floats, right: NDArray[np.bool_]) -> Floats:
    """(N,) linearised mean average precision, over the tags that some row has and some row lacks."""
    counts = right.sum(0)
    places = np.flatnonzero((counts > 0) & (counts < len(right)))
    if not len(places):
        return np.zeros(len(right))
    value, influence = average_precision_influence(outputs[:, places], right[:, places])
    return np.asarray(value.mean() + len(right) * influence.mean(axis=1))
