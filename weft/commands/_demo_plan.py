"""The sizes of the demo: what the user asks for, and what a machine of a given speed can train in that time."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from weft.core.config import Settings
from weft.core.ranges import COUNT, POSITIVE, require


class Stage(NamedTuple):
    """A training of the demo.

    share: of the time for training. cost: time of its step, relative to a pretraining step. fewest: least number
    of steps for a useful result; a machine too slow for them takes longer.
    """

    share: float
    cost: float
    fewest: int


PRETRAINING = "scenes_objects"
STAGES = {
    PRETRAINING: Stage(0.40, 1.0, 80),
    "scenes_zh": Stage(0.13, 1.05, 25),
    "scenes_questions": Stage(0.30, 0.85, 160),
    "scenes_captions": Stage(0.17, 1.3, 20),
}
BATCH = 128
"""Scenes in a pretraining step. The speed of a machine is measured with such steps."""
FIXED_S, ROWS = 5.0, 19_000
"""Time besides training: seconds on any machine, plus the time in which the machine pretrains on ROWS scenes."""
TRAIN_ROWS = 4
"""Added to ROWS for each training scene, which is generated, written and read again."""
EPOCHS = 20
"""Passes of pretraining over the scenes, as long as their number is between FEWEST_SCENES and MOST_SCENES."""
FEWEST_SCENES, MOST_SCENES = 2_000, 10_000


@dataclass(frozen=True)
class Wanted:
    """How long the demo takes, and its folder."""

    out: Path = Path("runs/demo")
    """Folder for the data, the runs and the report. An earlier demo in this folder is replaced."""
    minutes: float = 5.0
    """Planned time of the whole demo, in minutes. The demo measures the machine for a few seconds and chooses the sizes
    to fit."""
    speed: int | None = None
    """Training speed in scenes per second, as an earlier demo printed it. The same speed gives the same sizes again.
    Measured if not given."""
    test: int = 500
    """Number of scenes in each of the two test splits. One split has compositions seen in training, the other has
    unseen ones."""
    seed: int = 0

    def __post_init__(self) -> None:
        require(self, minutes=POSITIVE, speed=COUNT)


@dataclass(frozen=True)
class Plan(Settings):
    """The sizes of a demo, and the speed and time for which they were chosen."""

    speed: int
    """Pretraining speed, in scenes per second."""
    minutes: float
    """Planned time of the whole demo, in minutes."""
    train: int
    """Number of training scenes."""
    steps: dict[str, int]
    """Number of steps of each training."""

    @property
    def seconds(self) -> float:
        """Expected time of the whole demo."""
        step = BATCH / self.speed
        trained = sum(self.steps[name] * stage.cost * step for name, stage in STAGES.items())
        return _untrained(self.speed, self.train) + trained

    @property
    def is_late(self) -> bool:
        """Whether the least numbers of useful steps take longer than the planned time."""
        return self.seconds > 60 * self.minutes * 1.05


def plan(speed: int, minutes: float) -> Plan:
    """The sizes for a machine that pretrains on `speed` scenes per second. Equal arguments give equal sizes.

    A faster machine trains longer and on more scenes. A machine that is too slow for `minutes` trains the
    least numbers of useful steps, and takes longer.
    """
    # More steps need more scenes, and more scenes leave less time for steps. A few rounds converge.
    train = FEWEST_SCENES
    for _ in range(8):
        steps = _steps(speed, 60 * minutes - _untrained(speed, train))
        wanted = 500 * round(steps[PRETRAINING] * BATCH / EPOCHS / 500)
        train = min(max(wanted, FEWEST_SCENES), MOST_SCENES)
    return Plan(speed, minutes, train, _steps(speed, 60 * minutes - _untrained(speed, train)))


def _untrained(speed: int, train: int) -> float:
    """Seconds for everything except training."""
    return FIXED_S + (ROWS + TRAIN_ROWS * train) / speed


def _steps(speed: int, seconds: float) -> dict[str, int]:
    """Steps of each training that together take `seconds`, or longer if the least numbers of steps do.

    A training whose share of the time is too short gets its least number of steps. The others share the
    remaining time.
    """
    steps: dict[str, int] = {}
    while True:
        spent = sum(steps[name] * STAGES[name].cost * BATCH / speed for name in steps)
        others = {name: stage for name, stage in STAGES.items() if name not in steps}
        shares = sum(stage.share for stage in others.values())
        found = {
            name: round((seconds - spent) * stage.share / shares / stage.cost * speed / BATCH)
            for name, stage in others.items()
        }
        short = {name: stage.fewest for name, stage in others.items() if found[name] < stage.fewest}
        if not short:
            found |= steps
            return {name: found[name] for name in STAGES}
        steps |= short
