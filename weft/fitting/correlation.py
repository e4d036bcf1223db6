"""Linear maps that bring two columns of the same rows into one space: regularised canonical correlation.

After H. Hotelling, Biometrika 28, 1936, with a ridge on both covariances; directions are weighted by their
correlation, as for retrieval (Y. Gong et al., IJCV 106(2), 2014, section 3.2).
"""

from dataclasses import dataclass

import numpy as np

from weft.fitting.features import Matrix, dense
from weft.fitting.models import Floats

RIDGES = (1.0, 0.1, 0.01)
"""Added to the covariances, in parts of the mean variance."""
DIRECTIONS = 128


@dataclass(frozen=True)
class Maps:
    """first @ weights[0] + biases[0] and second @ weights[1] + biases[1] lie near each other."""

    weights: tuple[Floats, Floats]
    biases: tuple[Floats, Floats]

    def vectors(self, which: int, matrix: Matrix) -> Floats:
        """(N, E), of unit length."""
        found = np.asarray(matrix @ self.weights[which]) + self.biases[which]
        return np.asarray(found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12))


def correlated(first: Matrix, second: Matrix, ridge: float) -> Maps:
    """The maps of the directions with the highest correlations over these rows, (N, D1) and (N, D2)."""
    means = [np.asarray(one.mean(0)).ravel().astype(np.float64) for one in (first, second)]
    centred = [
        dense(one).astype(np.float64) - mean
        for one, mean in zip((first, second), means, strict=True)
    ]
    rows = len(centred[0])
    roots = [_inverse_root(one.T @ one / rows, ridge) for one in centred]
    left, strength, right = np.linalg.svd(
        roots[0] @ (centred[0].T @ centred[1] / rows) @ roots[1], full_matrices=False
    )
    count = min(DIRECTIONS, len(strength))
    scale = np.sqrt(strength[:count])
    maps = [roots[0] @ left[:, :count] * scale, roots[1] @ right[:count].T * scale]
    shifts = [-mean @ one for mean, one in zip(means, maps, strict=True)]
    return Maps((maps[0], maps[1]), (shifts[0], shifts[1]))


def _inverse_root(covariance: Floats, ridge: float) -> Floats:
    values, vectors = np.linalg.eigh(covariance)
    filled = np.maximum(values, 0) + ridge * max(float(values.mean()), 1e-12)
    found: Floats = vectors / np.sqrt(filled) @ vectors.T
    return found
