"""Paired comparisons of systems on the same queries."""

import numpy as np
import pytest

from weft.evaluation.comparison import against_best, compare, randomisation_test


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


def equal_systems(random, count, groups=40):
    """Values of systems that are equally good; rows of a group are hard for all of them alike."""
    difficulty = np.repeat(random.normal(size=groups), 3)
    own = np.repeat(random.normal(size=(groups, count)), 3, axis=0)
    values = difficulty[:, None] + own + 0.3 * random.normal(size=(3 * groups, count))
    return list(values.T), np.repeat(np.arange(groups), 3)


@pytest.mark.parametrize("groups", [8, 40])
def test_the_best_of_equal_systems_is_seldom_called_better(groups):
    random = np.random.default_rng(groups)
    corrected = by_interval = pairwise = 0
    trials = 120
    for _ in range(trials):
        systems, of = equal_systems(random, 6, groups)
        best = int(np.argmax([values.mean() for values in systems]))
        found = against_best(systems, of, best, resamples=400)
        assert set(found) == set(range(6)) - {best}
        corrected += any(one.p_value < 0.05 for one in found.values())
        by_interval += any(one.clear for one in found.values())
        pairwise += any(
            randomisation_test(systems[n] - systems[best], of, resamples=400) < 0.05 for n in found
        )
    assert corrected / trials <= 0.1
    assert by_interval / trials <= 0.1
    assert pairwise / trials > 0.2


def test_a_system_that_is_much_worse_does_not_hide_a_small_difference():
    random = np.random.default_rng(0)
    systems, groups = equal_systems(random, 3, 200)
    systems[1] = systems[0] - 0.1 + 0.02 * random.normal(size=600)
    systems[2] = systems[2] - 20
    found = against_best(systems, groups, 0)
    assert found[1].clear
    assert found[1].p_value < 0.01
    assert found[2].p_value < 0.01
    assert found[1].difference.value == pytest.approx((systems[1] - systems[0]).mean())
    alone = compare(systems[0], systems[1], groups).difference
    assert found[1].difference.low < alone.low < alone.high < found[1].difference.high


def test_two_systems_and_systems_that_agree():
    systems, groups = equal_systems(np.random.default_rng(1), 2)
    (corrected,) = against_best(systems, groups, 0).values()
    plain = compare(*systems, groups)
    assert corrected.difference.value == pytest.approx(plain.difference.value)
    assert corrected.difference.low == pytest.approx(plain.difference.low, abs=0.1)
    assert corrected.p_value == pytest.approx(plain.p_value, abs=0.05)
    (same,) = against_best([systems[0], systems[0]], groups, 0).values()
    assert (same.p_value, same.difference.low, same.difference.high) == (1, 0, 0)
    # Four groups with one sign: the exact p-value is 2 / 2**4, whatever the resamples say.
    (few,) = against_best([np.zeros(4), np.ones(4)], np.arange(4), 1, resamples=500).values()
    assert few.p_value == pytest.approx(0.125, abs=0.05)
