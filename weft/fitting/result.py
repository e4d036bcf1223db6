"""The result of `weft fit`, and its folder."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from weft.core.documents import read_mapping
from weft.core.errors import DataError, WeftError
from weft.core.files import check_writable
from weft.core.lock import locked
from weft.core.places import digest_of
from weft.evaluation.metric import Score
from weft.fitting.importance import Importance
from weft.fitting.leaderboard import Leaderboard
from weft.fitting.wording import sentences
from weft.runs.parts import RECIPE
from weft.runs.run import Run, load

BOARD, PAGE, SPLITS, TRIALS = "leaderboard.json", "leaderboard.html", "splits.json", "candidates"

PAIRED = " and "
"""Joins the two columns of a pair in the name of a leaderboard."""


@dataclass(frozen=True)
class FitResult:
    """The result for one target.

    folder: the run directory of the recommended candidate. test: its score on the test rows, if there are any.
    important: importance of each column for the candidate `explained`. left_out: candidates for which there was no
    time. bad: rows that could not be read.
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
        """The result in a few sentences."""
        return "\n".join([*sentences(self.board, self.test), *self.alarms])


@contextmanager
def held(folder: Path, target: str) -> Iterator[None]:
    """Inside, no other `weft fit` can use the folder. target: the predicted column, as in the leaderboard.

    Raises WeftError if another process uses the folder, if it is not writable, or if it holds another run or the
    leaderboard of another target.
    """
    check_writable(folder / BOARD, "--out DIR names another place")
    with locked(folder):
        own = (folder / BOARD).exists() or (folder / TRIALS).exists()
        if (folder / RECIPE).exists() and not own:
            raise WeftError(f"{folder}: holds another run; choose another --out")
        require_target(folder, target)
        yield


def require_target(folder: Path, target: str) -> None:
    """Raises WeftError if the folder holds a leaderboard of another target, which would be overwritten."""
    if not (folder / BOARD).exists():
        return
    try:
        known = read_mapping(folder / BOARD)["target"]
    except (WeftError, KeyError):
        return  # truncated, or of an older version: may be overwritten
    if known != target:
        raise WeftError(
            f"{folder}: holds the leaderboard of '{known}'; choose another --out for '{target}'"
        )


def folder_of(target: str, out: Path) -> Path:
    """The folder of one of several targets below `out`: its name, with invalid characters replaced."""
    name = re.sub(r"[^\w.-]+", "_", target).lstrip(".")
    if name != target:  # two targets may become the same name
        name = f"{name}-{digest_of(target.encode())[:6]}"
    return out / name
