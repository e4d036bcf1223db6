"""The demo's sizes: a pure function of the machine's speed and the time."""

import pytest

from weft.commands import _demo_plan
from weft.commands._demo_plan import BATCH, MOST_SCENES, PRETRAINING, STAGES, plan
from weft.recipes import recipe, recipes

SPEEDS = (600, 1200, 2500, 5000, 20_000)


@pytest.mark.parametrize("minutes", [5.0, 10.0])
@pytest.mark.parametrize("speed", SPEEDS)
def test_the_expected_time_is_the_time_that_was_asked_for(speed: int, minutes: float) -> None:
    found = plan(speed, minutes)
    assert found.seconds == pytest.approx(60 * minutes, rel=0.03)
    assert not found.is_late


def test_a_faster_machine_trains_more() -> None:
    slower, *faster = [plan(speed, 5.0) for speed in SPEEDS]
    for one in faster:
        assert all(one.steps[name] > slower.steps[name] for name in STAGES)
        assert one.train >= slower.train
        slower = one
    assert slower.train == MOST_SCENES


def test_more_time_is_more_training() -> None:
    short, long = plan(1500, 4.0), plan(1500, 8.0)
    assert all(long.steps[name] > 1.5 * short.steps[name] for name in STAGES)


def test_the_same_numbers_give_the_same_plan() -> None:
    assert plan(777, 5.0) == plan(777, 5.0)


def test_a_machine_too_slow_for_the_time_trains_the_steps_that_are_of_use() -> None:
    slow = plan(10, 5.0)
    assert slow.steps == {name: stage.fewest for name, stage in STAGES.items()}
    assert slow.seconds > 300
    assert slow.is_late


@pytest.mark.parametrize("speed", [215, 250, 300])
def test_where_one_training_needs_more_than_its_share_the_others_take_less(speed: int) -> None:
    found = plan(speed, 5.0)
    assert found.seconds == pytest.approx(300, rel=0.03)
    assert not found.is_late


def test_shares_are_of_the_whole() -> None:
    assert sum(stage.share for stage in STAGES.values()) == pytest.approx(1.0)
    assert all(stage.cost > 0 for stage in STAGES.values())
    assert set(STAGES) <= set(recipes())
    assert recipe(PRETRAINING).run.batch_size == BATCH
    assert _demo_plan.FEWEST_SCENES <= _demo_plan.MOST_SCENES
