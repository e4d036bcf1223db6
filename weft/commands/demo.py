"""Run the whole pipeline offline in minutes: generate data, check, pretrain, fine-tune, evaluate, report."""

from dataclasses import dataclass
from pathlib import Path

from weft.commands._parsing import parse
from weft.core.ranges import COUNT, POSITIVE, require


@dataclass(frozen=True)
class Arguments:
    """How long the demo takes, and its folder."""

    out: Path = Path("runs/demo")
    """Folder for the data, the runs and the report; an earlier demo there is replaced."""
    minutes: float = 5.0
    """Time that it is to take. The machine is measured for a few seconds, and sizes are chosen for it."""
    speed: int | None = None
    """Scenes a second in training, as an earlier demo printed it: the same sizes again. Measured if not given."""
    test: int = 500
    """Scenes in each of the two test splits: compositions seen in training, and never seen."""
    seed: int = 0

    def __post_init__(self) -> None:
        require(self, minutes=POSITIVE, speed=COUNT)


def main(words: list[str]) -> None:
    """Runs all stages, then prints tables and the path of the report."""
    arguments = parse(Arguments, words, "weft demo")
    from weft.commands._demo import run

    run(arguments)
