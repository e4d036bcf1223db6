"""Conformal thresholds hold the false alarms that were asked for, whatever the scores."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.core.errors import WeftError
from weft.evaluation.conformal import Conformal, false_alarms


@given(
    st.lists(st.floats(-5, 5), min_size=20, max_size=60),
    st.floats(-6, 6),
    st.sampled_from([0.05, 0.1, 0.25, 0.5]),
)
def test_an_alarm_is_a_small_p_value(scores: list[float], new: float, share: float) -> None:
    of = Conformal(scores)
    (p,) = of.p_values([new])
    assert (new > of.threshold(share)) == (p <= share + 1e-12)


def test_false_alarms_are_as_rare_as_asked_over_many_calibrations() -> None:
    random = np.random.default_rng(0)
    shares = []
    for _ in range(400):
        apart, new = random.exponential(size=(2, 99))
        shares.append((new > Conformal(apart).threshold(0.1)).mean())
    assert np.mean(shares) == pytest.approx(0.1, abs=0.01)


def test_the_interval_covers_what_was_asked_for() -> None:
    """Also where the rows of a group are alike: of 100 draws about 95 intervals hold the 10 %."""
    random = np.random.default_rng(1)
    groups = np.arange(60).repeat(5)
    held = 0
    for _ in range(100):
        apart, new = (
            random.normal(size=60).repeat(5) + 0.3 * random.normal(size=300) for _ in range(2)
        )
        found = false_alarms(0.1, apart, groups, new, groups, resamples=200).estimate()
        held += found.low <= 0.1 <= found.high
    assert held >= 85


def test_too_few_rows_for_so_rare_an_alarm_are_named() -> None:
    """With the share that these rows are enough for."""
    with pytest.raises(WeftError) as raised:
        Conformal(range(18)).threshold(0.05)
    assert str(raised.value) == (
        "too few validation rows for false alarms in 5 % of rows: got 18, expected at least 19; use a run with more of "
        "them, or --false-alarms 0.0527 or more"
    )
    assert Conformal(range(18)).threshold(0.0527) == 17
    assert Conformal(range(19)).threshold(0.05) == 18
    with pytest.raises(WeftError, match="validation pairs .* got 0, .* with more of them$"):
        Conformal.require(0, 0.05, "pairs")


@pytest.mark.parametrize("share", [0.0, 1.0, -1.0, float("nan")])
def test_a_share_that_is_none_is_refused(share: float) -> None:
    with pytest.raises(WeftError, match="expected a share between 0 and 1"):
        Conformal([1.0, 2.0]).threshold(share)


def test_scores_that_are_not_finite_are_refused() -> None:
    with pytest.raises(WeftError, match="not finite"):
        Conformal([1.0, float("nan")])
    with pytest.raises(WeftError, match="no calibration rows"):
        Conformal([])
