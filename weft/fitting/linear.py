"""Logistic and ridge regression on the features of all columns. Inner folds choose the penalty."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from weft.fitting.features import Layout, Matrix
from weft.fitting.goal import Goal
from weft.fitting.models import UNSEEN, Affine, Floats, Training, as_csr, row_losses

PENALTIES = (100.0, 10.0, 1.0, 0.1, 0.01, 0.001)
"""Penalties on the squared weights, per training row; from strong to weak."""
INNER_FOLDS = 3
ITERATIONS = 200


@dataclass(frozen=True)
class Scaling:
    """Features -> (features - mean) * scale, so that every column of the table has about unit length.

    mean, scale: (D,). Features that are constant in training get scale 0.
    """

    mean: Floats
    scale: Floats

    @classmethod
    def of(cls, matrix: Matrix, layout: Layout) -> "Scaling":
        """Computes the scaling of a matrix. Columns whose vectors have unit length are not scaled."""
        rows = matrix.shape[0]
        if sparse.issparse(matrix):
            wide = matrix.astype(np.float64)  # in float32 a constant column would seem to vary
            mean = np.asarray(wide.sum(axis=0)).ravel() / rows
            square = np.asarray(wide.multiply(wide).sum(axis=0)).ravel() / rows
            std = np.sqrt(np.maximum(square - mean**2, 0))
        else:
            mean, std = matrix.mean(0, dtype=np.float64), matrix.std(0, dtype=np.float64)
        varies = std > 1e-6 * np.maximum(np.abs(mean), 1e-6)
        size = np.bincount(layout.blocks[varies], minlength=layout.blocks.max() + 1)
        own = 1 / (np.where(varies, std, 1) * np.sqrt(np.maximum(size, 1))[layout.blocks])
        scale = np.where(layout.unit, 1.0, np.where(varies, own, 0.0))
        return cls(np.where(layout.unit, 0.0, mean), scale)

    def apply(self, matrix: Matrix) -> Matrix:
        if not sparse.issparse(matrix):
            return np.asarray((matrix - self.mean) * self.scale, dtype=np.float32)
        # The mean is not subtracted, so that the matrix stays sparse; the intercept replaces the shift.
        return as_csr(sparse.csr_array(matrix.multiply(self.scale[None]), dtype=np.float32))

    def unscaled(self, weight: Floats, bias: Floats, shifted: bool) -> Affine:
        """The same model for unscaled features."""
        plain = weight * self.scale[:, None]
        return Affine(plain, bias - self.mean @ plain if shifted else bias)


def linear(training: Training, goal: Goal, layout: Layout) -> Affine:
    """Fits the linear model with the penalty of lowest loss on the inner folds."""
    scaling = Scaling.of(training.matrix, layout)
    scaled = scaling.apply(training.matrix)
    penalty = _best_penalty(scaled, training, goal)
    weight, bias = _path(scaled, training.values, goal, PENALTIES[: PENALTIES.index(penalty) + 1])[
        -1
    ]
    return scaling.unscaled(weight, bias, shifted=not sparse.issparse(scaled))


def _best_penalty(scaled: Matrix, training: Training, goal: Goal) -> float:
    """The penalty with the lowest loss on the inner folds. With only one cluster there are none: the middle penalty."""
    folds = training.inner(INNER_FOLDS)
    if not folds:
        return PENALTIES[len(PENALTIES) // 2]
    losses = np.zeros(len(PENALTIES))
    for fold in folds:
        path = _path(scaled[fold.train], training.values[fold.train], goal, PENALTIES)
        for place, (weight, bias) in enumerate(path):
            found = Affine(weight, bias).outputs(scaled[fold.held])
            losses[place] += row_losses(found, training.values[fold.held], goal).sum()
    return PENALTIES[int(losses.argmin())]


def _path(
    scaled: Matrix, values: NDArray[np.generic], goal: Goal, penalties: tuple[float, ...]
) -> list[tuple[Floats, Floats]]:
    """(weight, bias) for each penalty. Each fit starts from the solution of the one before."""
    if goal.kind == "number":
        return [_ridge(scaled, values, penalty) for penalty in penalties]
    if goal.kind == "tags":
        return _of_tags(scaled, values, penalties)
    return _logistic(scaled, values, goal, penalties)


def _ridge(scaled: Matrix, values: NDArray[np.generic], penalty: float) -> tuple[Floats, Floats]:
    from sklearn.linear_model import Ridge

    model = Ridge(
        alpha=penalty * len(values) / 100,
        solver="auto" if not sparse.issparse(scaled) else "lsqr",
    )
    model.fit(scaled, values)
    return np.asarray(model.coef_, dtype=np.float64).reshape(-1, 1), np.array(
        [float(model.intercept_)]
    )


def _logistic(
    scaled: Matrix, values: NDArray[np.generic], goal: Goal, penalties: tuple[float, ...]
) -> list[tuple[Floats, Floats]]:
    from sklearn.linear_model import LogisticRegression

    known = np.unique(values)
    if len(known) == 1:
        bias = np.full(goal.outputs, UNSEEN)
        bias[int(known[0])] = 0.0
        return [(np.zeros((int(scaled.shape[1]), goal.outputs)), bias)] * len(penalties)
    model = LogisticRegression(max_iter=ITERATIONS, tol=1e-3, warm_start=True)
    found = []
    for penalty in penalties:
        model.set_params(C=100 / (penalty * len(values)))
        model.fit(scaled, values)
        found.append(_spread(model.coef_, model.intercept_, known, goal.outputs))
    return found


def _of_tags(
    scaled: Matrix, values: NDArray[np.generic], penalties: tuple[float, ...]
) -> list[tuple[Floats, Floats]]:
    """A logistic regression for each of V tags. All are solved together, sharing the products with the matrix."""
    from scipy.optimize import minimize

    right = np.asarray(values, dtype=np.float64)
    (rows, tags), features = right.shape, int(scaled.shape[1])

    def loss(flat: Floats, penalty: float) -> tuple[float, Floats]:
        weight, bias = flat[:-tags].reshape(features, tags), flat[-tags:]
        logits = np.asarray(scaled @ weight) + bias
        error = (1 / (1 + np.exp(-np.clip(logits, UNSEEN, -UNSEEN))) - right) / rows
        gradient = np.asarray(scaled.T @ error) + penalty / 100 * weight
        value = (np.logaddexp(0, logits) - logits * right).sum() / rows
        total = value + penalty / 200 * (weight**2).sum()
        return float(total), np.concatenate([gradient.ravel(), error.sum(0)])

    shares = np.clip(right.mean(0), 1 / (2 * rows), 1 - 1 / (2 * rows))
    flat = np.concatenate([np.zeros(features * tags), np.log(shares / (1 - shares))])
    found = []
    for penalty in penalties:
        solved = minimize(
            loss, flat, (penalty,), "L-BFGS-B", jac=True, options={"maxiter": ITERATIONS}
        )
        flat = solved.x
        found.append((flat[:-tags].reshape(features, tags), flat[-tags:]))
    return found


def _spread(
    coefficients: Floats, intercepts: Floats, known: NDArray[np.generic], outputs: int
) -> tuple[Floats, Floats]:
    """Known classes in their columns. For two classes, scikit-learn returns only the logit of the second."""
    if len(known) == 2:
        coefficients = np.stack([np.zeros_like(coefficients[0]), coefficients[0]])
        intercepts = np.array([0.0, float(intercepts[0])])
    weight = np.zeros((coefficients.shape[1], outputs))
    bias = np.full(outputs, UNSEEN)
    weight[:, known.astype(np.intp)] = coefficients.T
    bias[known.astype(np.intp)] = intercepts
    return weight, bias
