"""Gradient boosting by scikit-learn. Other clusters choose the number of rounds; trees are stored as plain arrays."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from weft.core.config import Config
from weft.core.errors import WeftError
from weft.core.interfaces import Decoder
from weft.core.records import Features
from weft.decoders.trees import TreesConfig
from weft.fitting.features import Matrix
from weft.fitting.goal import Goal
from weft.fitting.models import UNSEEN, Affine, Fitted, Floats, Training, constant, row_losses

ROUNDS = 150
SETTINGS = {
    "learning_rate": 0.1,
    "max_leaf_nodes": 15,
    "min_samples_leaf": 10,
    "l2_regularization": 1.0,
}
INNER_FOLDS = 4
"""Number of folds of the training rows. One of them chooses the number of rounds."""


VALUE_S, FEATURE_S = 4e-9, 1e-6
"""Seconds that a round takes for each value of the matrix, and for each feature."""


def trees_seconds(rows: int, width: int, outputs: int) -> float:
    """Estimated seconds for boosted trees on one core. Each round grows one tree for each output."""
    return 2 * ROUNDS * outputs * width * (rows * VALUE_S + FEATURE_S)


@dataclass(frozen=True)
class Forest:
    """Boosted trees as arrays; see `weft.decoders.trees`."""

    config: TreesConfig
    tensors: dict[str, Tensor]

    def outputs(self, matrix: Matrix) -> Floats:
        decoder = self.config.build()
        decoder.load_state_dict(self.tensors)
        rows = torch.from_numpy(np.ascontiguousarray(matrix, dtype=np.float32))
        parts = [decoder(_context(part)) for part in torch.split(rows, 1024)]
        return np.asarray(torch.cat(parts).double())

    def decoder(self, in_dim: int) -> tuple[Config[Decoder], dict[str, Tensor]]:
        return self.config.replace(in_dim=in_dim), self.tensors


def _context(pooled: Tensor) -> Features:
    return Features(pooled[:, None], torch.ones(len(pooled), 1, dtype=torch.bool), pooled)


def boosted(training: Training, goal: Goal) -> Fitted:
    """Trees grown on all training rows. The number of rounds has the lowest loss on a fold of the training rows."""
    folds = training.inner(INNER_FOLDS)
    if len(np.unique(training.values)) < 2 or not folds:
        return constant(training, goal)
    rounds = _best_rounds(training, goal, folds[0].train, folds[0].held)
    if rounds == 0:
        return constant(training, goal)
    grown = _grown(training.matrix, training.values, goal, rounds, training.seed)
    return _forest(grown, training.matrix, goal)


def _best_rounds(
    training: Training, goal: Goal, train: NDArray[np.intp], held: NDArray[np.intp]
) -> int:
    values = training.values
    grown = _grown(training.matrix[train], values[train], goal, ROUNDS, training.seed)
    if isinstance(grown, Affine):
        return 0
    number = goal.kind == "number"
    staged = grown.staged_predict if number else grown.staged_decision_function
    losses = []
    for found in staged(training.matrix[held]):
        outputs = found[:, None] if number else _spread(found, grown.classes_, goal.outputs)
        losses.append(float(row_losses(outputs, values[held], goal).mean()))
    constant_loss = row_losses(
        constant(
            Training(
                training.matrix[train],
                values[train],
                training.clusters[train],
                training.strata[train],
            ),
            goal,
        ).outputs(training.matrix[held]),
        values[held],
        goal,
    ).mean()
    best = int(np.argmin(losses))
    return best + 1 if losses[best] < constant_loss else 0


def _grown(matrix: Matrix, values: NDArray[Any], goal: Goal, rounds: int, seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    if len(np.unique(values)) < 2:
        return Affine(np.zeros((int(matrix.shape[1]), goal.outputs)), np.zeros(goal.outputs))
    kind = (
        HistGradientBoostingRegressor if goal.kind == "number" else HistGradientBoostingClassifier
    )
    return kind(max_iter=rounds, early_stopping=False, random_state=seed, **SETTINGS).fit(
        matrix, values
    )


def _spread(found: Floats, classes: NDArray[Any], outputs: int) -> Floats:
    """Logits in the columns of their classes. For two classes, scikit-learn returns only the logit of the second."""
    if found.ndim == 1:
        found = np.stack([np.zeros_like(found), found], axis=1)
    spread = np.full((len(found), outputs), UNSEEN)
    spread[:, classes] = found
    return spread


def _forest(grown: Any, matrix: Matrix, goal: Goal) -> Forest:
    """The nodes of scikit-learn's trees. Their outputs for some training rows are compared with scikit-learn's."""
    number = goal.kind == "number"
    known = np.array([0]) if number else grown.classes_
    outputs = known if number or len(known) > 2 else known[1:]
    nodes, roots, of = [], [], []
    begin = 0
    for trees in grown._predictors:
        for place, tree in zip(outputs, trees, strict=True):
            roots.append(begin)
            of.append(int(place))
            nodes.append(_with_offset(tree.nodes, begin))
            begin += len(tree.nodes)
    constant_V = np.zeros(1) if number else np.full(goal.outputs, UNSEEN)
    if not number and len(known) == 2:
        constant_V[known[0]] = 0.0
    constant_V[outputs] = np.asarray(grown._baseline_prediction).ravel()
    arrays = {name: np.concatenate([part[name] for part in nodes]) for name in nodes[0]}
    depth = max(int(tree.nodes["depth"].max()) for trees in grown._predictors for tree in trees)
    config = TreesConfig(int(matrix.shape[1]), goal.outputs, len(roots), begin, depth)
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    tensors |= {"roots": torch.tensor(roots), "outputs": torch.tensor(of)}
    forest = Forest(config, {**tensors, "constant": torch.from_numpy(constant_V)})
    _require_parity(forest, grown, matrix[:200], goal)
    return forest


def _with_offset(nodes: Any, begin: int) -> dict[str, NDArray[Any]]:
    """A tree's arrays, with indices into the nodes of all trees. The children of a leaf are the leaf itself."""
    own = np.arange(begin, begin + len(nodes))
    leaf = nodes["is_leaf"].astype(bool)
    return {
        "feature": np.where(leaf, 0, nodes["feature_idx"]).astype(np.int64),
        "threshold": np.where(leaf, 0.0, nodes["num_threshold"]).astype(np.float64),
        "left": np.where(leaf, own, begin + nodes["left"].astype(np.int64)),
        "right": np.where(leaf, own, begin + nodes["right"].astype(np.int64)),
        "value": np.where(leaf, nodes["value"], 0.0).astype(np.float64),
    }


def _require_parity(forest: Forest, grown: Any, matrix: Matrix, goal: Goal) -> None:
    """Raises WeftError if the outputs differ, as they would if a version of scikit-learn stores trees differently."""
    said = (
        grown.predict(matrix)[:, None]
        if goal.kind == "number"
        else _spread(grown.decision_function(matrix), grown.classes_, goal.outputs)
    )
    if not np.allclose(
        forest.outputs(matrix), said, rtol=1e-4, atol=1e-4 * max(1.0, np.abs(said).max())
    ):
        import sklearn

        raise WeftError(
            f"scikit-learn {sklearn.__version__} keeps its trees in a way that weft does not read; "
            "expected a version from 1.5 to 1.9"
        )
