"""Try several models on a table or folder of yours, compare them, and keep the best as a run.

weft fit TABLE_OR_FOLDER --target COLUMN [--minutes 10] [--out DIR]
weft fit TABLE_OR_FOLDER --pair image text [--minutes 10] [--out DIR]

Prints the columns and their kinds, a leaderboard with paired intervals, what each column is worth, and alarms.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from weft.commands._own_data import OwnData
from weft.commands._parsing import parse
from weft.core.errors import WeftError


@dataclass(frozen=True)
class Arguments(OwnData):
    """The data, what is to be predicted, and the time."""

    data: Annotated[Path, tyro.conf.Positional]
    """A table, or a folder in any known format."""
    target: tuple[str, ...] = ()
    """Column that is to be predicted; several have one leaderboard each."""
    pair: tuple[str, str] | None = None
    """Two columns that are to find each other, such as image text, instead of a target."""
    minutes: float = 10
    """Candidates are begun within this time."""
    out: Path | None = None
    """Folder for the run, the leaderboard and its page (of several targets one folder each); runs/fit-NAME if
    not given."""
    without: tuple[str, ...] = ()
    """Columns that no model may read."""
    networks: bool = True
    """Also train networks on pictures and texts, in the time that is left."""
    task: Literal["class", "number"] | None = None
    """What the target is; its column says so if not given."""
    image_model: str | None = None
    """Model for pictures: a folder, package:NAME, a hub name, a safetensors file of MobileNetV2, or none."""
    text_model: str | None = None
    """Model for texts: a folder, package:NAME, a hub name, or none."""
    folds: int = 5
    """Of the cross-validation, where the data are few."""
    seed: int = 0
    """Of folds and models."""


def main(words: list[str]) -> None:
    """Prints what was found and the run directory."""
    arguments = parse(Arguments, words, "weft fit")
    if arguments.pair is not None and arguments.target:
        raise WeftError("got --target and --pair, expected one of them")
    if not 0 < arguments.minutes < 1e6:
        raise WeftError(f"--minutes is {arguments.minutes:g}, expected a number of minutes above 0")
    if arguments.folds < 2:
        raise WeftError(f"--folds is {arguments.folds}, expected 2 or more")
    from weft.fitting.api import default_folder

    out = arguments.out or default_folder(arguments.data)
    try:
        _fit(arguments, out)
    except KeyboardInterrupt as stop:
        kept = "candidates that are finished are kept; the same command goes on from there"
        stop.args = (f"interrupted: {kept} ({out})",)
        raise


def _fit(arguments: Arguments, out: Path) -> None:
    from weft.fitting.choice import Choices, features_line
    from weft.fitting.fit import fit
    from weft.fitting.opening import open_table, usable
    from weft.fitting.pair import fit_pair
    from weft.fitting.printing import print_result
    from weft.fitting.result import FitSettings

    opened = open_table(arguments.data, arguments.said(arguments.data))
    print(opened.schema)
    if arguments.pair is None and not arguments.target:
        columns = ", ".join(opened.schema.columns)
        raise WeftError(
            f"--target names the column that is to be predicted (or --pair two that find each other), of: {columns}"
        )
    choices = Choices(arguments.image_model, arguments.text_model)
    settings = FitSettings(
        minutes=arguments.minutes / max(1, len(arguments.target)),
        task=arguments.task,
        seed=arguments.seed,
        without=arguments.without,
        networks=arguments.networks,
        folds=arguments.folds,
        choices=choices,
    )
    used: set[str] = set()
    if arguments.pair is not None:
        found = fit_pair(opened, arguments.pair, out, settings)
        print_result(found)
        used = {str(opened.schema.columns[name].kind) for name in arguments.pair}
    several = len(arguments.target) > 1
    for target in arguments.target:
        used |= set(usable(opened.schema, target, arguments.without).values())
        print_result(fit(opened, target, out / target if several else out, settings))
    line = features_line(used, choices)
    if line:
        print(line)
