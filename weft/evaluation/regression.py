"""Errors of predicted numbers and their correlation with the right ones, on every resample.

With x the N predicted and y the N right numbers:
- MAE = mean |x - y|, RMSE = sqrt(mean (x - y)^2).
- R2 = 1 - sum (x - y)^2 / sum (y - mean y)^2. It is 0 for predicting the mean of the rows and negative for worse
  predictions.
- Pearson's r is the correlation of x and y, Spearman's that of their ranks; equal values share the mean of their
  ranks (C. Spearman, The Proof and Measurement of Association between Two Things, American Journal of Psychology
  15(1), 1904).
- Lin's concordance correlation = 2 cov(x, y) / (var x + var y + (mean x - mean y)^2). It is 1 for x = y and, unlike
  Pearson's r, lower if x is shifted or scaled (L. I.-K. Lin, A Concordance Correlation Coefficient to Evaluate
  Reproducibility, Biometrics 45(1), 1989).

If all x or all y are equal, a correlation is undefined and counts as 0, and so does R2 if all y are equal. A resample
where this happens gets the value of all rows.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from weft.evaluation.bootstrap import Bootstrap, Floats, Statistic, count

Counts = NDArray[np.int64]
EPSILON = 1e-12
"""Variance, as a share of the variance of all rows, below which all values count as equal."""


@dataclass(frozen=True)
class Regression:
    """Each on all rows and on every resample. mae and rmse are in the unit of the numbers."""

    mae: Statistic
    rmse: Statistic
    r2: Statistic
    pearson: Statistic
    spearman: Statistic
    concordance: Statistic


def regression(
    found: ArrayLike, expected: ArrayLike, groups: ArrayLike, bootstrap: Bootstrap | None = None
) -> Regression:
    """Compares N predicted numbers with the N right ones. groups: (N,).

    Without a bootstrap there are no replicates, only values, for example for a baseline.
    """
    x_N, y_N = (np.asarray(one, dtype=np.float64) for one in (found, expected))
    errors_N = x_N - y_N
    scale = float(y_N.std()) or 1.0
    columns = [abs(errors_N), errors_N**2, (errors_N / scale) ** 2]
    products_N6 = _products(np.ones_like(x_N), _standard(x_N), _standard(y_N))
    together_2N = _standard(np.stack([x_N, y_N]))
    columns_NK = np.column_stack(
        [*columns, products_N6, _products(np.ones_like(x_N), *together_2N)]
    )
    every = columns_NK.sum(0, keepdims=True)  # resamples follow
    if bootstrap is not None:
        every = np.vstack([every, bootstrap.totals(columns_NK, groups)[1]])
    absolute, squared, share = every[:, :3].T
    rows, sums, together = every[:, 3], every[:, 3:9], every[:, 9:]
    _, y_variance, _ = _moments(sums)
    with np.errstate(invalid="ignore", divide="ignore"):
        r2 = np.where(y_variance > EPSILON, 1 - share / rows / y_variance, np.nan)
    r2 = r2.round(12)  # The mean has R2 = 0; without rounding it could be shown as -8.9e-16.
    number = count(groups)
    return Regression(
        mae=_statistic(absolute / rows, number),
        rmse=_statistic(np.sqrt(squared / rows), number),
        r2=_statistic(r2, number),
        pearson=_statistic(_correlation(sums), number),
        spearman=_statistic(_spearman(x_N, y_N, groups, bootstrap), number),
        concordance=_statistic(_concordance(together), number),
    )


def _spearman(x_N: Floats, y_N: Floats, groups: ArrayLike, bootstrap: Bootstrap | None) -> Floats:
    """(1 + R,) for all rows and for every resample, whose rows are ranked again."""
    parts = [_rank_products(np.ones((1, len(x_N)), np.int64), x_N, y_N)]
    for counts_RN in () if bootstrap is None else bootstrap.draws(groups):
        parts.append(_rank_products(counts_RN, x_N, y_N))
    return _correlation(np.concatenate(parts))


def _rank_products(counts_RN: Counts, x_N: Floats, y_N: Floats) -> Floats:
    """(R, 6) sums of `_products` of the ranks of N values, each repeated by its count."""
    sums: Floats = _products(counts_RN, _ranks(counts_RN, x_N), _ranks(counts_RN, y_N)).sum(1)
    return sums


def _ranks(counts_RN: Counts, values_N: Floats) -> Floats:
    """(R, N) in [-0.5, 0.5]: (rank - mean rank) / number, with each value repeated by its count."""
    _, place_N, sizes_U = np.unique(values_N, return_inverse=True, return_counts=True)
    sorted_RN = counts_RN[:, values_N.argsort(kind="stable")].astype(np.float64)
    counts_RU = np.add.reduceat(sorted_RN, sizes_U.cumsum() - sizes_U, axis=1)
    upto_RU = counts_RU.cumsum(1)
    number_R1 = upto_RU[:, -1:]
    middle_RU = upto_RU - counts_RU / 2  # the mean rank of equal values, less one half
    ranks: Floats = (middle_RU / number_R1 - 0.5)[:, place_N]
    return ranks


def _products(counts: Floats | Counts, x: Floats, y: Floats) -> Floats:
    """(..., 6): 1, x, y, x^2, y^2 and xy, each multiplied by its count."""
    products: Floats = np.stack([np.ones_like(x), x, y, x * x, y * y, x * y], axis=-1)
    return products * counts.astype(np.float64)[..., None]


def _moments(sums: Floats) -> tuple[Floats, Floats, Floats]:
    """Returns variances of x and y and their covariance, from sums of `_products` (..., 6)."""
    number, x, y, xx, yy, xy = np.moveaxis(sums, -1, 0)
    x, y = x / number, y / number
    return xx / number - x * x, yy / number - y * y, xy / number - x * y


def _correlation(sums: Floats) -> Floats:
    """Pearson's r from sums of `_products`; NaN if all x or all y are equal."""
    x_variance, y_variance, covariance = _moments(sums)
    defined = (x_variance > EPSILON) & (y_variance > EPSILON)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = covariance / np.sqrt(x_variance * y_variance)
    return np.where(defined, found.clip(-1, 1), np.nan)


def _concordance(sums: Floats) -> Floats:
    """Lin's concordance correlation from sums of `_products`; NaN if all x and y are the same number."""
    x_variance, y_variance, covariance = _moments(sums)
    apart = (sums[..., 1] - sums[..., 2]) / sums[..., 0]
    spread = x_variance + y_variance + apart * apart
    with np.errstate(invalid="ignore", divide="ignore"):
        found = 2 * covariance / spread
    # Equal numbers have a covariance of 0; without rounding it could be shown as 2.3e-16.
    return np.where(spread > EPSILON, found.round(12), np.nan)


def _standard(values_N: Floats) -> Floats:
    """Standardises the values to mean 0 and variance 1; zeros if they differ only by rounding."""
    deviations_N = values_N - values_N.mean()
    scale = deviations_N.std()
    equal = scale <= 1e-12 * abs(values_N).max()
    return np.zeros_like(values_N) if equal else deviations_N / scale


def _statistic(every: Floats, groups: int) -> Statistic:
    """Makes a Statistic from the value of all rows and those of every resample. NaN means undefined."""
    value = float(np.nan_to_num(every[0], nan=0.0))
    return Statistic(value, np.where(np.isnan(every[1:]), value, every[1:]), groups)
