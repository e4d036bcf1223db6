"""Models that are fitted on features: a constant, a linear model, boosted trees. Each becomes a model's head."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor

from weft.core.config import Config
from weft.core.interfaces import Decoder
from weft.decoders.classifier import ClassifierConfig
from weft.fitting.features import Matrix
from weft.fitting.folds import Fold, grouped_folds
from weft.fitting.goal import Goal

Floats = NDArray[np.float64]
UNSEEN = -30.0
"""Logit of a class without training rows."""


class Fitted(Protocol):
    """A model of features (N, D): logits of classes (N, V), or numbers (N, 1)."""

    def outputs(self, matrix: Matrix) -> Floats: ...

    def decoder(self, in_dim: int) -> tuple[Config[Decoder], dict[str, Tensor]]:
        """The same model as a decoder of weft, and its weights by name."""
        ...


@dataclass(frozen=True)
class Training:
    """Rows to fit on. clusters, strata: as in `grouped_folds`, for the inner folds that choose the penalty."""

    matrix: Matrix
    values: NDArray[Any]
    clusters: NDArray[np.int64]
    strata: NDArray[np.int64]
    seed: int = 0

    @classmethod
    def of(
        cls,
        matrix: Matrix,
        goal: Goal,
        clusters: NDArray[np.int64],
        strata: NDArray[np.int64],
        rows: NDArray[np.intp],
        seed: int,
    ) -> "Training":
        return cls(matrix[rows], goal.values[rows], clusters[rows], strata[rows], seed)

    def inner(self, folds: int) -> list[Fold]:
        """Folds of these rows by cluster; none if there is only one cluster."""
        if len(np.unique(self.clusters)) < 2:
            return []
        return grouped_folds(self.clusters, self.strata, folds, self.seed)


@dataclass(frozen=True)
class Affine:
    """matrix @ weight + bias. weight: (D, V), bias: (V,)."""

    weight: Floats
    bias: Floats

    def outputs(self, matrix: Matrix) -> Floats:
        return np.asarray(matrix @ self.weight) + self.bias

    def decoder(self, in_dim: int) -> tuple[Config[Decoder], dict[str, Tensor]]:
        tensors = {
            "out.weight": torch.from_numpy(self.weight.T.astype(np.float32)),
            "out.bias": torch.from_numpy(self.bias.astype(np.float32)),
        }
        return ClassifierConfig(in_dim, classes=len(self.bias)), tensors


def constant(training: Training, goal: Goal) -> Affine:
    """A model that ignores the features: the shares of the classes or tags, or the median."""
    width = int(training.matrix.shape[1])
    return Affine(np.zeros((width, goal.outputs)), constant_outputs(training.values, goal))


def constant_outputs(values: NDArray[Any], goal: Goal) -> Floats:
    """(V,) logits of the shares of classes or tags; for numbers the median."""
    if goal.kind == "number":
        return np.array([float(np.median(values))])
    if goal.kind == "tags":
        shares = np.clip(values.mean(0, dtype=np.float64), 1e-6, 1 - 1e-6)
        return np.asarray(np.log(shares / (1 - shares)))
    counts = np.bincount(values[values >= 0], minlength=len(goal.classes)).astype(np.float64)
    with np.errstate(divide="ignore"):
        return np.asarray(np.maximum(np.log(counts / counts.sum()), UNSEEN))


def probabilities(outputs: Floats) -> Floats:
    """(N, V) softmax of the logits."""
    shifted = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))


def as_csr(matrix: Matrix) -> Matrix:
    """Converts the indices of a sparse matrix to 32 bits, as scikit-learn needs them."""
    if not sparse.issparse(matrix):
        return matrix
    matrix.indices = matrix.indices.astype(np.int32)
    matrix.indptr = matrix.indptr.astype(np.int32)
    return matrix


def row_losses(outputs: Floats, values: NDArray[Any], goal: Goal) -> Floats:
    """(N,) negative log-likelihood of the right class, squared error, or mean cross-entropy of the tags."""
    if goal.kind == "tags":
        return np.asarray((np.logaddexp(0, outputs) - outputs * values).mean(axis=1))
    if goal.kind == "number":
        return np.asarray((outputs[:, 0] - values) ** 2)
    right = probabilities(outputs)[np.arange(len(values)), np.maximum(values, 0)]
    return np.asarray(-np.log(np.maximum(right, 1e-12)))
