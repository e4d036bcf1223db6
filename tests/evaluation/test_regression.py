"""Errors and correlations of numbers: against scipy, resample by resample, and where they are not defined."""

import math

import numpy as np
import pytest
import scipy.stats

from weft.evaluation.bootstrap import Bootstrap
from weft.evaluation.regression import regression

NAMES = ("mae", "rmse", "r2", "pearson", "spearman", "concordance")


def by_hand(found: np.ndarray, expected: np.ndarray) -> dict[str, float]:
    errors = found - expected
    spread = ((expected - expected.mean()) ** 2).sum()
    return {
        "mae": abs(errors).mean(),
        "rmse": math.sqrt((errors**2).mean()),
        "r2": 1 - (errors**2).sum() / spread,
        "pearson": scipy.stats.pearsonr(found, expected).statistic,
        "spearman": scipy.stats.spearmanr(found, expected).statistic,
        "concordance": 2
        * np.cov(found, expected, bias=True)[0, 1]
        / (found.var() + expected.var() + (found.mean() - expected.mean()) ** 2),
    }


def numbers(size: int = 60) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """With equal values on both sides, far from zero, several rows a group."""
    random = np.random.default_rng(0)
    expected = 1000 + random.integers(0, 20, size).astype(float)
    found = np.round(expected + random.normal(0, 6, size))
    return found, expected, random.integers(0, 14, size)


@pytest.mark.parametrize("name", NAMES)
def test_values_and_resamples_are_those_of_the_formula(name: str) -> None:
    found, expected, groups = numbers()
    bootstrap = Bootstrap(groups, resamples=40, seed=3)
    statistic = getattr(regression(found, expected, groups, bootstrap), name)
    assert statistic.value == pytest.approx(by_hand(found, expected)[name], abs=1e-10)
    again = []
    for counts in np.concatenate(list(bootstrap.draws(groups))):
        rows = np.repeat(np.arange(len(groups)), counts)
        again.append(by_hand(found[rows], expected[rows])[name])
    np.testing.assert_allclose(statistic.replicates, again, atol=1e-10)
    assert statistic.groups == 14


def test_without_resamples_the_values_are_the_same() -> None:
    found, expected, groups = numbers()
    alone = regression(found, expected, groups)
    whole = regression(found, expected, groups, Bootstrap(groups, resamples=5))
    for name in NAMES:
        assert getattr(alone, name).value == getattr(whole, name).value
        assert len(getattr(alone, name).replicates) == 0


def test_what_is_not_defined_counts_as_zero() -> None:
    groups = np.arange(8)
    bootstrap = Bootstrap(groups, resamples=30)
    rising = 0.1 * np.arange(8)
    constant = regression(np.full(8, 0.3), rising, groups, bootstrap)
    assert constant.pearson.value == constant.spearman.value == 0
    assert not constant.pearson.replicates.any()
    assert constant.r2.value < 0
    flat = regression(rising, np.full(8, 0.3), groups, bootstrap)
    assert flat.r2.value == flat.pearson.value == flat.spearman.value == 0
    assert constant.concordance.value == flat.concordance.value == 0
    same = regression(np.full(8, 0.3), np.full(8, 0.3), groups, bootstrap)
    assert same.concordance.value == 0
    assert not np.isnan(same.concordance.replicates).any()
    assert flat.mae.value == pytest.approx(abs(rising - 0.3).mean())


def test_a_resample_of_equal_rows_has_the_value_of_all() -> None:
    expected = np.array([1.0, 2.0])
    found = regression(expected, expected, [0, 1], Bootstrap([0, 1], resamples=50))
    for statistic in (found.r2, found.pearson, found.spearman):
        assert np.all(statistic.replicates == statistic.value)
        assert statistic.value == pytest.approx(1)


def test_scale_and_offset_change_nothing_of_correlations() -> None:
    found, expected, groups = numbers()
    plain = regression(found, expected, groups)
    moved = regression(1e9 + 1e-3 * found, 1e-6 * expected - 5, groups)
    assert moved.pearson.value == pytest.approx(plain.pearson.value, abs=1e-6)
    assert moved.spearman.value == pytest.approx(plain.spearman.value, abs=1e-12)
