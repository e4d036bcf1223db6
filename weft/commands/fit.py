"""Try several models on a table or folder of yours, compare them, and keep the best as a run."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from weft.commands._parsing import parse


@dataclass(frozen=True)
class Arguments:
    """The data, what is to be predicted, and the time."""

    data: Annotated[Path, tyro.conf.Positional]
    """A table, or a folder in any known format."""
    target: str = "label"
    """Column that is to be predicted."""
    minutes: float = 10
    """Candidates are begun within this time."""
    out: Path | None = None
    """Folder for the run, the leaderboard and the report; runs/fit-NAME if not given."""
    seed: int = 0
    """Of folds and models."""


def main(words: list[str]) -> None:
    """Prints the leaderboard and the run directory."""
    arguments = parse(Arguments, words, "weft fit")
    from weft.fitting.fit import fit
    from weft.fitting.leaderboard import print_leaderboard

    found = fit(
        arguments.data,
        target=arguments.target,
        minutes=arguments.minutes,
        out=arguments.out,
        seed=arguments.seed,
    )
    for note in found.notes:
        print(note)
    print_leaderboard(found.board)
    if found.left_out:
        print(f"no time for: {', '.join(found.left_out)}")
    print(f"run directory: {found.folder}")
