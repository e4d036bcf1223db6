"""Projects vectors of any width to points in the plane: principal components, and t-SNE initialised by them."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

STEPS, EARLY = 400, 100
EXAGGERATION = 12.0
PERPLEXITY = 20.0
SEARCH_STEPS = 40
LEAST = 1e-12


def principal_components(vectors_ND: Floats) -> Floats:
    """(N, 2) projection on the two directions of largest variance; each direction's largest weight is positive."""
    centred = vectors_ND - vectors_ND.mean(axis=0)
    directions = _directions(centred)[:, :2].T
    signs = np.sign(directions[np.arange(len(directions)), np.abs(directions).argmax(axis=1)])
    found = centred @ (directions * signs[:, None]).T
    return np.pad(found, ((0, 0), (0, 2 - found.shape[1])))


def _directions(centred_ND: Floats) -> Floats:
    """(D, min(N, D)) principal directions, in descending order. They come from the smaller of the two Gram matrices,
    which is several times as fast as a singular value decomposition and exact enough for the first few."""
    count, dim = centred_ND.shape
    if dim <= count:
        return np.asarray(np.linalg.eigh(centred_ND.T @ centred_ND)[1][:, ::-1])
    values, weights = np.linalg.eigh(centred_ND @ centred_ND.T)
    found = centred_ND.T @ weights[:, ::-1]
    return np.asarray(found / np.sqrt(np.maximum(values[::-1], LEAST)))


def tsne(vectors_ND: Floats, perplexity: float = PERPLEXITY, steps: int = STEPS) -> Floats:
    """(N, 2) points. Points of similar vectors lie side by side; large distances mean little.

    L. van der Maaten and G. Hinton, Visualizing Data using t-SNE, JMLR 9, 2008, algorithm 1, exact, with early
    exaggeration. It starts from the principal components, so the same vectors give the same points (D. Kobak and P.
    Berens, The art of using t-SNE for single-cell transcriptomics, 2019). For fewer than 5 vectors the components are
    returned. Time and memory grow with N².
    """
    start_N2 = principal_components(vectors_ND)
    if len(vectors_ND) < 5 or not start_N2.any():
        return start_N2
    shares_NN = _shares(_squares(vectors_ND), min(perplexity, (len(vectors_ND) - 1) / 3))
    points = start_N2 / start_N2[:, 0].std() * 1e-4
    moves, gains = np.zeros_like(points), np.ones_like(points)
    rate = max(len(points) / EXAGGERATION, 50.0)
    for step in range(steps):
        exaggeration, momentum = (EXAGGERATION, 0.5) if step < EARLY else (1.0, 0.8)
        gradient = _gradient(points, exaggeration * shares_NN)
        same = np.sign(gradient) == np.sign(moves)
        gains = np.maximum(np.where(same, gains * 0.8, gains + 0.2), 0.01)
        moves = momentum * moves - rate * gains * gradient
        points = points + moves
    return np.asarray(points - points.mean(axis=0))


def _squares(vectors: Floats) -> Floats:
    """(N, N) squared distances."""
    norms = (vectors**2).sum(axis=1)
    return np.asarray(np.maximum(norms[:, None] + norms[None] - 2 * vectors @ vectors.T, 0.0))


def _shares(squares_NN: Floats, perplexity: float) -> Floats:
    """(N, N) joint probabilities of pairs. The bandwidth of each row's Gaussian is chosen so that it has the given
    perplexity (equation 1)."""
    count = len(squares_NN)
    low, high = np.zeros(count), np.full(count, np.inf)
    precision = 1 / np.maximum(squares_NN.mean(axis=1), LEAST)
    for _ in range(SEARCH_STEPS):
        weights = np.exp(-squares_NN * precision[:, None])
        np.fill_diagonal(weights, 0.0)
        rows = weights / np.maximum(weights.sum(axis=1, keepdims=True), LEAST)
        entropy = -(rows * np.log(np.maximum(rows, LEAST))).sum(axis=1)
        wide = entropy > np.log(perplexity)
        low, high = np.where(wide, precision, low), np.where(wide, high, precision)
        precision = np.where(np.isinf(high), precision * 2, (low + high) / 2)
    return np.asarray(np.maximum((rows + rows.T) / (2 * count), LEAST))


def _gradient(points_N2: Floats, shares_NN: Floats) -> Floats:
    """Gradient of the Kullback-Leibler divergence (equation 5)."""
    near_NN = 1 / (1 + _squares(points_N2))
    np.fill_diagonal(near_NN, 0.0)
    pull_NN = (shares_NN - near_NN / near_NN.sum()) * near_NN
    return np.asarray(4 * (pull_NN.sum(axis=1)[:, None] * points_N2 - pull_NN @ points_N2))
