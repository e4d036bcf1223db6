"""How much the demo trains: sizes that a machine of a given speed needs a given time for."""

from dataclasses import dataclass

from weft.core.config import Settings

STAGES = {
    "scenes": (0.42, 1.0),
    "scenes_zh": (0.15, 1.0),
    "scenes_questions": (0.33, 0.75),
    "scenes_captions": (0.10, 1.0),
}
"""Each training's share of the time for training, and the seconds of its step beside a pretraining step's."""
BATCH = 128
"""Scenes in a pretraining step, by which a machine's speed is measured."""
FIXED_S, ROWS = 30.0, 30_000
"""What is not training: seconds on any machine, and the time for so many scenes of pretraining."""
FEWEST_STEPS = 20
EPOCHS = 10
"""Times that pretraining sees each scene, within FEWEST_SCENES and MOST_SCENES."""
FEWEST_SCENES, MOST_SCENES = 4_000, 20_000


@dataclass(frozen=True)
class Plan(Settings):
    """The sizes of a demo, and what they were chosen for."""

    speed: int
    """Scenes a second in pretraining."""
    minutes: float
    """Time that the whole demo is to take."""
    train: int
    """Training scenes."""
    steps: dict[str, int]
    """Steps of each training."""

    @property
    def seconds(self) -> float:
        """Expected time of the whole demo."""
        step = BATCH / self.speed
        trained = sum(self.steps[name] * cost * step for name, (_, cost) in STAGES.items())
        return FIXED_S + ROWS / self.speed + trained


def plan(speed: int, minutes: float) -> Plan:
    """The sizes for a machine that pretrains on `speed` scenes a second: the same for the same numbers.

    A faster machine trains longer and on more scenes. One that is too slow for `minutes` trains
    FEWEST_STEPS, and takes longer.
    """
    left = max(0.0, 60 * minutes - FIXED_S - ROWS / speed)
    steps = {
        name: max(FEWEST_STEPS, round(left * share / cost * speed / BATCH))
        for name, (share, cost) in STAGES.items()
    }
    scenes = 1000 * round(steps["scenes"] * BATCH / EPOCHS / 1000)
    return Plan(speed, minutes, min(max(scenes, FEWEST_SCENES), MOST_SCENES), steps)
