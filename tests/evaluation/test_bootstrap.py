"""Clustered bootstrap: against explicit resampling, scipy, and the coverage that it promises."""

import numpy as np
import pytest
import scipy.stats

from weft.core.language import speaking
from weft.evaluation.bootstrap import Bootstrap, Estimate, expanded_tail, t_quantile
from weft.evaluation.comparison import compare


def explicit_replicates(bootstrap, values, groups, function):
    """Builds every resample as a list of rows."""
    rows = {g: np.flatnonzero(groups == g) for g in bootstrap.groups}
    counts = np.concatenate(list(bootstrap._counts()))
    replicates = []
    for drawn in counts:
        chosen = [
            rows[g] for g, times in zip(bootstrap.groups, drawn, strict=True) for _ in range(times)
        ]
        replicates.append(function(values[np.concatenate(chosen)]))
    return np.array(replicates)


@pytest.mark.parametrize("name", ["mean", "median"])
def test_replicates_equal_explicit_resampling(name):
    random = np.random.default_rng(0)
    groups = random.integers(0, 15, size=71) * 10
    values = random.integers(1, 40, size=71).astype(float)
    bootstrap = Bootstrap(groups, resamples=60, seed=3)
    statistic = getattr(bootstrap, name)(values, groups)
    function = getattr(np, name)
    assert statistic.value == function(values)
    expected = explicit_replicates(bootstrap, values, groups, function)
    np.testing.assert_allclose(statistic.replicates, expected, rtol=1e-12)


def test_chunks_do_not_change_the_resamples(monkeypatch):
    values = np.random.default_rng(0).normal(size=50)
    whole = Bootstrap(np.arange(50), resamples=100).mean(values, np.arange(50))
    monkeypatch.setattr("weft.evaluation.bootstrap.CHUNK_ELEMENTS", 170)
    parts = Bootstrap(np.arange(50), resamples=100).mean(values, np.arange(50))
    np.testing.assert_allclose(whole.replicates, parts.replicates, rtol=1e-12)


@pytest.mark.parametrize("name", ["mean", "median"])
def test_agrees_with_scipy_without_clusters(name):
    values = np.random.default_rng(1).gamma(2.0, size=300)
    own = getattr(Bootstrap(np.arange(300), resamples=6000), name)(values, np.arange(300))
    theirs = scipy.stats.bootstrap(
        (values,),
        getattr(np, name),
        n_resamples=6000,
        method="percentile",
        rng=np.random.default_rng(0),
    )
    width = theirs.confidence_interval.high - theirs.confidence_interval.low
    estimate = own.estimate()
    assert estimate.low == pytest.approx(theirs.confidence_interval.low, abs=0.06 * width)
    assert estimate.high == pytest.approx(theirs.confidence_interval.high, abs=0.06 * width)
    assert own.replicates.std() == pytest.approx(theirs.standard_error, rel=0.05)


def test_covers_the_truth_where_ignoring_groups_does_not():
    random = np.random.default_rng(0)
    groups = np.repeat(np.arange(60), 5)
    covered = {"clustered": 0, "ignoring groups": 0}
    trials = 200
    for _ in range(trials):
        values = np.repeat(random.normal(size=60), 5) + 0.3 * random.normal(size=300)
        for name, of in (("clustered", groups), ("ignoring groups", np.arange(300))):
            estimate = Bootstrap(of, resamples=300).mean(values, of).estimate()
            covered[name] += estimate.low <= 0 <= estimate.high
    assert 0.90 <= covered["clustered"] / trials <= 0.98
    assert covered["ignoring groups"] / trials < 0.75


def test_sums_are_paired():
    values = np.random.default_rng(0).normal(size=(40, 1))
    bootstrap = Bootstrap(np.arange(40), resamples=50)
    (a,), (b,) = bootstrap.means(values, np.arange(40)), bootstrap.means(-values, np.arange(40))
    total = (a + b).estimate()
    assert (total.low, total.value, total.high) == pytest.approx((0, 0, 0), abs=1e-12)
    assert (a * 2).estimate().low == pytest.approx(2 * a.estimate().low)


def test_two_directions_share_the_groups():
    """Image queries (one a group) and caption queries (five a group) see the same images."""
    groups = np.arange(30)
    hits = np.random.default_rng(0).integers(0, 2, size=30)
    bootstrap = Bootstrap(groups, resamples=80)
    images = bootstrap.mean(hits, groups)
    captions = bootstrap.mean(np.repeat(hits, 5), np.repeat(groups, 5))
    np.testing.assert_allclose(images.replicates, captions.replicates)


def test_ratios_are_means_within_a_column():
    random = np.random.default_rng(0)
    groups = random.integers(0, 20, size=90)
    classes = random.integers(0, 3, size=90)
    member = (classes[:, None] == np.arange(3)).astype(float)
    hits = random.integers(0, 2, size=90)
    bootstrap = Bootstrap(groups, resamples=40)
    ratios = bootstrap.ratios(member * hits[:, None], member, groups)
    for c, ratio in enumerate(ratios):
        expected = bootstrap.mean(hits[classes == c], groups[classes == c])
        assert ratio.value == pytest.approx(expected.value)
        np.testing.assert_allclose(ratio.replicates, expected.replicates)


def test_a_resample_without_a_column_keeps_its_value():
    (rare,) = Bootstrap([0, 1], resamples=50).ratios([[1.0], [0.0]], [[2.0], [0.0]], [0, 1])
    np.testing.assert_allclose(rare.replicates, 0.5)


def test_all_hits_still_have_an_interval():
    bootstrap = Bootstrap(np.arange(32))
    ones = bootstrap.proportion(np.ones(32), np.arange(32))
    exact = scipy.stats.binomtest(32, 32).proportion_ci(method="exact")
    assert (ones.low, ones.high) == pytest.approx((exact.low, 1.0))
    none = bootstrap.proportion(np.zeros(32), np.arange(32))
    assert (none.low, none.high) == pytest.approx((0.0, 1 - exact.low))


@pytest.mark.parametrize(
    ("values", "groups", "message"),
    [
        ([1.0, 2.0], [0], "one group a value"),
        ([], [], "at least one"),
        ([1.0], [9], "was not given"),
    ],
)
def test_bad_input_is_refused(values, groups, message):
    with pytest.raises(ValueError, match=message):
        Bootstrap([0, 1]).mean(values, groups)


def test_no_groups_are_refused():
    with pytest.raises(ValueError, match="no groups"):
        Bootstrap([])
    with pytest.raises(ValueError, match="resamples is 0"):
        Bootstrap([1], resamples=0)


def test_the_seed_decides_the_resamples():
    values = np.random.default_rng(0).normal(size=30)
    first, again, other = (
        Bootstrap(np.arange(30), resamples=20, seed=seed).mean(values, np.arange(30)).replicates
        for seed in (5, 5, 6)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).all()


@pytest.mark.parametrize(("number", "least"), [(5, 0.89), (8, 0.91), (10, 0.92), (20, 0.92)])
def test_few_groups_are_covered_too(number, least):
    """Groups of 5: unexpanded percentiles cover 84% at 5 groups, 87% at 8 and 89% at 10."""
    random = np.random.default_rng(number)
    groups = np.repeat(np.arange(number), 5)
    covered, trials = 0, 500
    for _ in range(trials):
        values = np.repeat(random.normal(size=number), 5) + 0.3 * random.normal(size=5 * number)
        estimate = Bootstrap(groups, resamples=1000).mean(values, groups).estimate()
        assert estimate.groups == number
        covered += estimate.low <= 0 <= estimate.high
    assert least <= covered / trials <= 0.98


def test_the_expanded_tail_is_that_of_student_s_t():
    for groups in (2, 3, 4, 5, 10, 40, 1000):
        t = scipy.stats.t.ppf(0.975, groups - 1)
        assert t_quantile(scipy.stats.norm.ppf(0.975), groups - 1) == pytest.approx(t, rel=2e-3)
        expected = scipy.stats.norm.cdf(-np.sqrt(groups / (groups - 1)) * t)
        assert expanded_tail(groups, 0.025) == pytest.approx(expected, rel=0.02)
    assert expanded_tail(100_000, 0.025) == pytest.approx(0.025, rel=1e-3)


def test_an_interval_of_very_few_groups_says_so():
    def of(number):
        groups = np.repeat(np.arange(number), 4)
        values = np.random.default_rng(0).normal(size=len(groups))
        return Bootstrap(groups).mean(values, groups).estimate()

    assert of(5).interval() == f"{of(5).low:.1f} – {of(5).high:.1f}"
    assert of(4).interval().endswith("; 4 groups: interval too narrow")
    with speaking("zh"):
        assert of(4).interval().endswith("；4 组：过窄")
    assert of(1).interval() == of(1).words() == "1 group: no interval"
    assert of(4).words() == f"95% interval {of(4).interval()}"
    assert Estimate.alone(1.0).words() == ""
    assert of(1).to_json() == {"value": of(1).value, "low": None, "high": None, "groups": 1}
    assert not compare([0.0, 0.0], [1.0, 2.0], [3, 3]).clear
    # Of hits the exact binomial bound is known even so.
    hits = Bootstrap([3]).proportion([1.0, 1.0], [3, 3])
    assert (hits.low, hits.high, hits.groups) == (pytest.approx(0.025), 1.0, 1)


def test_estimate_reads_well():
    assert str(Estimate(26.44, 23.7, 29.2)) == "26.4 [23.7, 29.2]"
    written = {"value": 1.0, "low": 0.0, "high": 2.0, "groups": None}
    assert Estimate(1.0, 0.0, 2.0).to_json() == written


def test_means_at_many_places_are_those_of_each_place_alone() -> None:
    random = np.random.default_rng(0)
    groups, places = np.arange(60) // 3, random.integers(0, 4, 60)
    values = (random.random(60) < 0.5).astype(float)
    values[places == 2] = 1.0
    bootstrap = Bootstrap(groups, resamples=200)
    found = bootstrap.means_by(values, places, 4, groups, shares=True)
    for place, one in enumerate(found):
        of = places == place
        alone = bootstrap.proportion(values[of], groups[of])
        assert one == pytest.approx(alone) or vars(one) == pytest.approx(vars(alone))
    total, on_resamples = bootstrap.totals_by(values, places, 6, groups)
    assert total.tolist() == [values[places == place].sum() for place in range(6)]
    one_hot = np.eye(6)[places] * values[:, None]
    assert on_resamples == pytest.approx(bootstrap.totals(one_hot, groups)[1])
