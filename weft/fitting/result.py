"""What `weft fit` is told, and what it has found."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from weft.core.errors import DataError, WeftError
from weft.evaluation.metric import Score
from weft.fitting.importance import Importance
from weft.fitting.leaderboard import Leaderboard
from weft.fitting.wording import sentences
from weft.runs.parts import RECIPE
from weft.runs.run import Run, load

BOARD, PAGE, SPLITS, TRIALS = "leaderboard.json", "leaderboard.html", "splits.json", "candidates"


@dataclass(frozen=True)
class FitResult:
    """What was found for one target.

    folder: the run directory of the recommended candidate. test: its score on the test rows, where there are
    any. important: what each column is worth to the candidate `explained`. left_out: candidates for which there
    was no time. bad: rows that could not be read.
    """

    folder: Path
    board: Leaderboard
    test: Score | None
    alarms: Sequence[str]
    notes: Sequence[str]
    important: Sequence[Importance]
    explained: str
    left_out: Sequence[str]
    bad: Sequence[DataError]

    @property
    def run(self) -> Run:
        """The recommended candidate as a run."""
        return load(self.folder)

    def __str__(self) -> str:
        """What was found, in a few sentences."""
        return "\n".join([*sentences(self.board, self.test), *self.alarms])


def require_free(folder: Path) -> None:
    """Raises WeftError where the folder holds a run that is none of `weft fit`."""
    if (
        (folder / RECIPE).exists()
        and not (folder / BOARD).exists()
        and not (folder / TRIALS).exists()
    ):
        raise WeftError(f"{folder}: holds another run; choose another --out")
