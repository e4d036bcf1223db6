"""Permutation importance: how much worse a model gets if a column has the values of other rows.

L. Breiman, Machine Learning 45(1), 2001, section 10, on rows that the model was not trained on. Values are exchanged
between groups, not rows, because they may be similar within a group.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from weft.evaluation.bootstrap import Bootstrap, Estimate
from weft.evaluation.metric import Metric
from weft.fitting.candidates import Features
from weft.fitting.features import Matrix, side_by_side
from weft.fitting.models import Fitted, Floats
from weft.fitting.scores import row_scores
from weft.fitting.trials import Setting, Trial

REPEATS = 5
"""Number of exchanges. The importance is their mean."""
LEAST = 20
"""Number of columns that are always measured, even without time."""


@dataclass(frozen=True)
class Importance:
    """Importance of a column. loss: by how much the score gets worse without it, with its interval."""

    column: str
    loss: Estimate

    def to_json(self) -> dict[str, Any]:
        return {"column": self.column, "loss": self.loss.to_json()}


def importance(
    trial: Trial, features: Features, setting: Setting, metric: Metric, *, deadline: float
) -> list[Importance]:
    """The importance of each column that the candidate reads, the most important first.

    deadline: on the clock of time.monotonic(). After it, only the first LEAST columns are measured.
    """
    columns = features.of(trial.candidate)
    matrix = side_by_side(columns)
    models = trial.models or [
        setting.fitted(trial.candidate, features, fold.train) for fold in setting.plan.folds
    ]
    clusters = setting.clusters[setting.plan.held]
    bootstrap = Bootstrap(clusters)
    before = _scores(trial.outputs, setting, metric)
    found, begin = [], 0
    for number, column in enumerate(columns):
        if number >= LEAST and time.monotonic() > deadline:
            break
        end = begin + column.dim + 1  # 1 for the column's presence
        after = np.mean(
            [
                _scores(_exchanged(models, matrix, begin, end, setting, seed), setting, metric)
                for seed in range(REPEATS)
            ],
            axis=0,
        )
        worse = before - after if metric.better == "higher" else after - before
        found.append(Importance(column.name, bootstrap.mean(worse, clusters).estimate()))
        begin = end
    return sorted(found, key=lambda one: -one.loss.value)


def _scores(outputs: Floats, setting: Setting, metric: Metric) -> Floats:
    values = setting.goal.values[setting.plan.held]
    return metric.scale * row_scores(outputs, values, setting.goal)


def _exchanged(
    models: Sequence[Fitted], matrix: Matrix, begin: int, end: int, setting: Setting, seed: int
) -> Floats:
    """Outputs of the models for the held rows, with features `begin` to `end` from rows of other groups."""
    parts = []
    for number, (model, fold) in enumerate(zip(models, setting.plan.folds, strict=True)):
        partners = partner_rows(setting.clusters[fold.held], seed * 1000 + number)
        own, others = matrix[fold.held], matrix[fold.held[partners]]
        if sparse.issparse(matrix):
            mixed: Matrix = sparse.hstack(
                [own[:, :begin], others[:, begin:end], own[:, end:]], format="csr"
            )
        else:
            mixed = own.copy()
            mixed[:, begin:end] = others[:, begin:end]
        parts.append(model.outputs(mixed))
    return np.concatenate(parts)


def partner_rows(clusters: NDArray[np.int64], seed: int) -> NDArray[np.intp]:
    """(N,) for each row a row of another group. All rows of a group get rows of the same other group.

    With only one group: another row.
    """
    random = np.random.default_rng(seed)
    names, places = np.unique(clusters, return_inverse=True)
    if len(names) == 1:
        return np.roll(np.arange(len(clusters)), 1)
    order = random.permutation(len(names))
    follows = np.empty(len(names), dtype=np.intp)
    follows[order] = np.roll(order, -1)
    members = [np.flatnonzero(places == name) for name in range(len(names))]
    partners = np.empty(len(clusters), dtype=np.intp)
    for name, rows in enumerate(members):
        others = random.permutation(members[follows[name]])
        partners[rows] = others[np.arange(len(rows)) % len(others)]
    return partners
