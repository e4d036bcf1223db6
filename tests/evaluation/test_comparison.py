"""Paired comparisons of systems on the same queries."""

import numpy as np
import pytest

from weft.evaluation.comparison import compare, randomisation_test


def test_paired_difference_is_narrower_than_either():
    random = np.random.default_rng(0)
    groups = np.repeat(np.arange(100), 5)
    difficulty = np.repeat(random.normal(size=100), 5)
    first = difficulty + 0.1 * random.normal(size=500)
    second = difficulty + 0.1 * random.normal(size=500) + 0.05
    comparison = compare(first, second, groups)
    assert comparison.clear
    assert comparison.p_value < 0.01
    assert comparison.difference.value == pytest.approx(second.mean() - first.mean())
    width = comparison.difference.high - comparison.difference.low
    assert width < (comparison.first.high - comparison.first.low) / 5
    median = compare(first, second, groups, statistic="median")
    assert median.first.value == np.median(first)


def test_equal_systems_do_not_differ():
    random = np.random.default_rng(0)
    values = random.normal(size=200)
    assert compare(values, values, np.arange(200)).p_value == 1
    p_values = [
        randomisation_test(random.normal(size=40), np.arange(40), resamples=200, seed=i)
        for i in range(300)
    ]
    assert np.mean(np.array(p_values) < 0.1) == pytest.approx(0.1, abs=0.06)


def test_comparison_refuses_unequal_lengths():
    with pytest.raises(ValueError, match="expected the same"):
        compare([1.0], [1.0, 2.0], [0, 1])


def test_whole_groups_are_swapped():
    """Five rows of a group that all say the same are one observation: of 4 groups with one sign the
    two-sided p-value is 2 / 2**4, however many rows they have."""
    groups = np.repeat(np.arange(4), 5)
    p_value = randomisation_test(np.ones(20), groups, resamples=20_000)
    assert p_value == pytest.approx(2 / 2**4, abs=0.01)
    assert compare(np.zeros(20), np.ones(20), groups).p_value == pytest.approx(0.125, abs=0.03)
    alone = randomisation_test(np.ones(20), np.arange(20), resamples=2000)
    assert alone < 0.005


def test_the_seed_decides_the_swaps():
    values = np.random.default_rng(0).normal(size=30)
    first, again, other = (
        randomisation_test(values, np.arange(30), resamples=500, seed=seed) for seed in (5, 5, 6)
    )
    assert first == again != other
