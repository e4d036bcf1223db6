"""Linear maps of two columns into one space: regularised canonical correlation analysis.

H. Hotelling, Biometrika 28, 1936, with a ridge on both covariances. Directions are weighted by their
correlation, as for retrieval (Y. Gong et al., IJCV 106(2), 2014, section 3.2).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from weft.fitting.features import Matrix, dense
from weft.fitting.models import Floats

RIDGES = (1.0, 0.1, 0.01)
"""Ridges on the covariances to try, as multiples of the mean variance."""
DIRECTIONS = 128


@dataclass(frozen=True)
class Maps:
    """Maps first @ weights[0] + biases[0] and second @ weights[1] + biases[1], whose values are similar for a pair."""

    weights: tuple[Floats, Floats]
    biases: tuple[Floats, Floats]

    def vectors(self, which: int, matrix: Matrix) -> Floats:
        """(N, E) mapped vectors of unit length. which: 0 for the first column, 1 for the second."""
        found = np.asarray(matrix @ self.weights[which]) + self.biases[which]
        return np.asarray(found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12))


def correlated(first: Matrix, second: Matrix, ridges: Sequence[float]) -> list[Maps]:
    """For each ridge, maps to the directions with the highest correlations. first: (N, D1); second: (N, D2)."""
    both = [dense(one).astype(np.float64) for one in (first, second)]
    means = [one.mean(0) for one in both]
    centred = [one - mean for one, mean in zip(both, means, strict=True)]
    (spread, axes), (other_spread, other_axes) = map(_principal, centred)
    shared = (centred[0] @ axes).T @ (centred[1] @ other_axes) / len(both[0])
    found = []
    for ridge in ridges:
        own, other = (
            1 / np.sqrt(values + ridge * max(float(values.sum()) / one.shape[1], 1e-12))
            for values, one in zip((spread, other_spread), centred, strict=True)
        )
        left, strength, right = np.linalg.svd(own[:, None] * shared * other, full_matrices=False)
        count = min(DIRECTIONS, len(strength))
        scale = np.sqrt(strength[:count])
        one, two = (
            axes * own @ left[:, :count] * scale,
            other_axes * other @ right[:count].T * scale,
        )
        found.append(Maps((one, two), (-means[0] @ one, -means[1] @ two)))
    return found


def _principal(centred: Floats) -> tuple[Floats, Floats]:
    """Variances (R,) and principal directions (D, R) of the rows (N, D). R is the smaller of N and D."""
    rows, width = centred.shape
    if rows < width:
        _, values, directions = np.linalg.svd(centred, full_matrices=False)
        return values**2 / rows, directions.T
    values, directions = np.linalg.eigh(centred.T @ centred / rows)
    return np.maximum(values, 0), directions
