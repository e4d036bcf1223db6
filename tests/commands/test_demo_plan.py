"""The demo's sizes: a pure function of the machine's speed and the time."""

import pytest

from weft.commands import _demo_plan
from weft.commands._demo_plan import BATCH, FEWEST_STEPS, MOST_SCENES, STAGES, plan
from weft.recipes import recipe, recipes

SPEEDS = (300, 600, 1200, 2500, 5000, 20_000)


@pytest.mark.parametrize("minutes", [4.0, 5.0, 10.0])
@pytest.mark.parametrize("speed", SPEEDS)
def test_the_expected_time_is_the_time_that_was_asked_for(speed: int, minutes: float) -> None:
    assert plan(speed, minutes).seconds == pytest.approx(60 * minutes, rel=0.02)


def test_a_faster_machine_trains_more() -> None:
    slower, *faster = [plan(speed, 5.0) for speed in SPEEDS]
    for one in faster:
        assert all(one.steps[name] > slower.steps[name] for name in STAGES)
        assert one.train >= slower.train
        slower = one
    assert slower.train == MOST_SCENES


def test_more_time_is_more_training() -> None:
    short, long = plan(600, 4.0), plan(600, 8.0)
    assert all(long.steps[name] > 1.5 * short.steps[name] for name in STAGES)


def test_the_same_numbers_give_the_same_plan() -> None:
    assert plan(777, 5.0) == plan(777, 5.0)


def test_a_machine_too_slow_for_the_time_still_trains() -> None:
    slow = plan(10, 5.0)
    assert set(slow.steps.values()) == {FEWEST_STEPS}
    assert slow.seconds > 300


def test_shares_are_of_the_whole() -> None:
    assert sum(share for share, _ in STAGES.values()) == pytest.approx(1.0)
    assert all(cost > 0 for _, cost in STAGES.values())
    assert set(STAGES) <= set(recipes())
    assert recipe("scenes").run.batch_size == BATCH
    assert _demo_plan.FEWEST_SCENES <= _demo_plan.MOST_SCENES
