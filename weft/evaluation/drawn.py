"""Compares generated values with real ones by their features: KID, FID, precision, recall, nearest rows.

All functions take features (N, D) of any encoder as float64 arrays. Report the encoder beside every number.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from weft.evaluation.bootstrap import Estimate

Floats = NDArray[np.float64]

FEW = 10_000
"""With fewer samples, the upward bias of FID is so large that values for different numbers of samples cannot be
compared (Chong & Forsyth 2020, arXiv:1911.07023)."""
CHUNK = 2048
"""Number of rows whose distances are in memory at once."""


def kid(real_ND: Floats, drawn_MD: Floats) -> float:
    """Kernel inception distance: the unbiased squared MMD with the kernel (x . y / D + 1) ** 3.

    Binkowski et al. 2018, arXiv:1801.01401, equation 4 and section 4. For two samples of the same distribution it
    scatters around 0 and is often negative. Needs two rows of each.
    """
    n, m = len(real_ND), len(drawn_MD)
    of_real, of_drawn = _similar_within(real_ND).sum(), _similar_within(drawn_MD).sum()
    between = _similar(real_ND, drawn_MD).sum()
    return float(of_real / (n * (n - 1)) + of_drawn / (m * (m - 1)) - 2 * between / (n * m))


def kid_rows(real_ND: Floats, drawn_ND: Floats) -> Floats:
    """(N,) values of pairs of a real and a generated row, whose mean is `kid` and whose spread is that of `kid`.

    The first-order terms of this U-statistic (Hoeffding 1948, doi:10.1214/aoms/1177730196, section 6): KID plus twice
    each pair's deviation from it. Generators that were measured on the same rows can thus be compared in pairs.
    """
    n = len(real_ND)
    within_N = _similar_within(real_ND) + _similar_within(drawn_ND)
    between_N = _similar(real_ND, drawn_ND) + _similar(drawn_ND, real_ND)
    own_N = within_N / (n - 1) - between_N / n
    rows_N: Floats = 2 * own_N - own_N.mean()
    return rows_N


def _similar(one_ND: Floats, other_MD: Floats) -> Floats:
    """(N,) sum of the kernel of each row and all other_MD."""
    parts = [one_ND[start : start + CHUNK] for start in range(0, len(one_ND), CHUNK)]
    return np.concatenate([_kernel(part, other_MD).sum(1) for part in parts])


def _similar_within(rows_ND: Floats) -> Floats:
    """(N,) sum of the kernel of each row and the other rows of its set."""
    own_N: Floats = (np.square(rows_ND).mean(1) + 1) ** 3
    return _similar(rows_ND, rows_ND) - own_N


def _kernel(one: Floats, other: Floats) -> Floats:
    kernel: Floats = (one @ other.T / one.shape[1] + 1) ** 3
    return kernel


def kid_estimate(
    real_ND: Floats, drawn_MD: Floats, *, subsets: int = 100, size: int = 1000, seed: int = 0
) -> Estimate:
    """KID of all rows, with the interval of a 95 % bootstrap over rows of both sets.

    A resample takes rows with replacement; pairs of a row with itself are left out, so that it stays unbiased. size:
    maximum rows of a set in a resample; for larger sets the interval is scaled by the square root of the ratio.
    """
    value = kid(real_ND, drawn_MD)
    generator = np.random.default_rng(seed)
    n, m = min(size, len(real_ND)), min(size, len(drawn_MD))
    found = []
    for _ in range(subsets):
        rows = generator.integers(len(real_ND), size=n)
        others = generator.integers(len(drawn_MD), size=m)
        found.append(_resampled(real_ND, drawn_MD, rows, others))
    spread = (np.asarray(found) - np.mean(found)) * np.sqrt(
        (n + m) / (len(real_ND) + len(drawn_MD))
    )
    low, high = np.quantile(spread, [0.025, 0.975])
    return Estimate(value, value + float(low), value + float(high))


def _resampled(
    real_ND: Floats, drawn_MD: Floats, rows: NDArray[np.int64], others: NDArray[np.int64]
) -> float:
    def within(values: Floats, chosen: NDArray[np.int64]) -> float:
        kernel = _kernel(values[chosen], values[chosen])
        different = chosen[:, None] != chosen[None]
        return float(kernel[different].mean())

    between = float(_kernel(real_ND[rows], drawn_MD[others]).mean())
    return within(real_ND, rows) + within(drawn_MD, others) - 2 * between


def fid(real_ND: Floats, drawn_MD: Floats) -> float:
    """Frechet distance of two normal distributions with the means and covariances of the features.

    Heusel et al. 2017, arXiv:1706.08500, equation 6. Biased upwards: see `FEW`.
    """
    means = real_ND.mean(0) - drawn_MD.mean(0)
    one, other = np.cov(real_ND, rowvar=False), np.cov(drawn_MD, rowvar=False)
    one, other = np.atleast_2d(one), np.atleast_2d(other)
    # The trace of the root of the product is the sum of the roots of its eigenvalues. These are
    # also the eigenvalues of a symmetric matrix: root(one) @ other @ root(one).
    values, vectors = np.linalg.eigh(one)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    cross = np.sqrt(np.linalg.eigvalsh(root @ other @ root).clip(0)).sum()
    return float(means @ means + np.trace(one) + np.trace(other) - 2 * cross)


def precision_recall(real_ND: Floats, drawn_MD: Floats, k: int = 3) -> tuple[float, float]:
    """Returns the share of generated rows near a real one, and the share of real rows near a generated one.

    Kynkaanniemi et al. 2019, arXiv:1904.06991, equation 1: a row is near another if it is no farther than the other's
    k-th neighbour in its own set.
    """
    return _near(real_ND, drawn_MD, k), _near(drawn_MD, real_ND, k)


def _near(known_ND: Floats, asked_MD: Floats, k: int) -> float:
    """Returns the share of asked rows that are near a known one."""
    reach_N = np.concatenate(
        [
            np.sort(part, axis=1)[:, min(k, part.shape[1] - 1)]
            for part in _distances(known_ND, known_ND)
        ]
    )
    near = [(part <= reach_N).any(axis=1) for part in _distances(asked_MD, known_ND)]
    return float(np.concatenate(near).mean())


def nearest(known_ND: Floats, asked_MD: Floats) -> tuple[NDArray[np.int64], Floats]:
    """Returns the index of the nearest known row for each asked one, and the distance."""
    rows, distances = [], []
    for part in _distances(asked_MD, known_ND):
        rows.append(part.argmin(axis=1))
        distances.append(part.min(axis=1))
    return np.concatenate(rows).astype(np.int64), np.concatenate(distances)


def _distances(asked_MD: Floats, known_ND: Floats) -> Iterator[Floats]:
    """Yields (M', N) Euclidean distances for a few asked rows at a time."""
    squares_N = np.square(known_ND).sum(1)
    for start in range(0, len(asked_MD), CHUNK):
        part = asked_MD[start : start + CHUNK]
        squared = np.square(part).sum(1)[:, None] + squares_N - 2 * part @ known_ND.T
        # Rounding can make the squared distance of a row to itself negative.
        yield np.sqrt(squared.clip(0))


def spread_within(features_ND: Floats, groups_N: NDArray[np.int64]) -> float:
    """Mean distance of two rows of one group, averaged over the groups of two or more rows; NaN if there are none."""
    found = []
    for group in np.unique(groups_N):
        rows = features_ND[groups_N == group]
        if len(rows) < 2:
            continue
        distances = np.concatenate(list(_distances(rows, rows)))
        found.append(distances.sum() / (len(rows) * (len(rows) - 1)))
    return float(np.mean(found)) if found else float("nan")
