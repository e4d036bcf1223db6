"""A linear model for very many classes: each class by the mean of its rows, in one pass over the features."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from weft.fitting.features import Layout, Matrix
from weft.fitting.goal import Goal
from weft.fitting.linear import INNER_FOLDS, PENALTIES, Scaling
from weft.fitting.models import UNSEEN, Affine, Floats, Training, constant_outputs, row_losses

SHARPNESS = (1.0, 3.0, 10.0, 30.0, 100.0)
"""Factors to try on the similarities to the means."""
ROUNDS = 15 * len(PENALTIES) * INNER_FOLDS
"""Number of passes over the training rows of a logistic regression, for all penalties and inner folds together."""
SHARE = 0.5
SPARSE_S, DENSE_S, CLASS_S = 4e-9, 4e-10, 2e-8
"""Seconds of a pass for each value and class, in a sparse and in a dense matrix; and for each row and class."""


def logistic_seconds(matrix: Matrix, classes: int) -> float:
    """Estimated seconds for a logistic regression on one core. Equal sizes give equal estimates."""
    rows, width = matrix.shape
    values = matrix.nnz * SPARSE_S if sparse.issparse(matrix) else rows * width * DENSE_S
    return float(ROUNDS * classes * (values + rows * CLASS_S))


def said_of_means(classes: int) -> str:
    """The note that class means replace a logistic regression."""
    return (
        f"{classes:,} classes: there is no time for a logistic regression, so linear models predict the class with "
        "the nearest mean (a larger --minutes may allow it)"
    )


def is_long(matrix: Matrix, goal: Goal, seconds: float) -> bool:
    """Whether a logistic regression would take more than SHARE of the seconds. If so, class means replace it."""
    return goal.kind == "class" and logistic_seconds(matrix, len(goal.classes)) > SHARE * seconds


@dataclass(frozen=True)
class _Means:
    """The mean of each known class (K, D), and half its squared length (K,)."""

    known: NDArray[np.intp]
    means: Matrix
    half: Floats

    @classmethod
    def of(cls, scaled: Matrix, values: NDArray[np.generic]) -> "_Means":
        known, places = np.unique(values, return_inverse=True)
        of_class = sparse.csr_array(
            (np.ones(len(values), np.float32), (places, np.arange(len(values)))),
            shape=(len(known), len(values)),
        )
        share = 1 / np.bincount(places)[:, None].astype(np.float32)
        sums = of_class @ scaled
        means = sums.multiply(share).tocsr() if sparse.issparse(sums) else sums * share
        squares = means.multiply(means) if sparse.issparse(means) else means**2
        return cls(known.astype(np.intp), means, np.asarray(squares.sum(axis=1)).ravel() / 2)

    def affine(self, sharpness: float, priors: Floats, outputs: int) -> Affine:
        """Logits of a Gaussian of the same width around each class mean, plus the log prior of the class."""
        width = int(self.means.shape[1])
        weight = np.zeros((width, outputs), dtype=np.float32)
        full = self.means.toarray() if sparse.issparse(self.means) else self.means
        weight[:, self.known] = sharpness * full.T
        bias = np.full(outputs, UNSEEN)
        bias[self.known] = priors[self.known] - sharpness * self.half
        return Affine(cast(Floats, weight), bias)


def class_means(training: Training, goal: Goal, layout: Layout) -> Affine:
    """Fits the class means, with the sharpness of lowest loss on an inner fold.

    This is spherical Gaussian discriminant analysis; for texts the Rocchio classifier (Manning, Raghavan and Schütze
    2008, section 14.2).
    """
    scaling = Scaling.of(training.matrix, layout)
    scaled, values = scaling.apply(training.matrix), training.values
    sharpness = _sharpest(scaled, training, goal)
    model = _Means.of(scaled, values).affine(
        sharpness, constant_outputs(values, goal), goal.outputs
    )
    return scaling.unscaled(model.weight, model.bias, shifted=not sparse.issparse(scaled))


def _sharpest(scaled: Matrix, training: Training, goal: Goal) -> float:
    folds = training.inner(INNER_FOLDS)[:1]
    if not folds:
        return SHARPNESS[len(SHARPNESS) // 2]
    fold, values = folds[0], training.values
    means = _Means.of(scaled[fold.train], values[fold.train])
    priors = constant_outputs(values[fold.train], goal)
    losses = [
        _loss(means.affine(one, priors, goal.outputs), scaled[fold.held], values[fold.held], goal)
        for one in SHARPNESS
    ]
    return SHARPNESS[int(np.argmin(losses))]


def _loss(
    model: Affine, held: Matrix, values: NDArray[np.generic], goal: Goal, part: int = 2048
) -> float:
    """The loss, computed `part` rows at a time: the logits of all rows and classes would not fit into memory."""
    starts: Sequence[int] = range(0, int(held.shape[0]), part)
    return sum(
        float(
            row_losses(
                model.outputs(held[start : start + part]), values[start : start + part], goal
            ).sum()
        )
        for start in starts
    )
