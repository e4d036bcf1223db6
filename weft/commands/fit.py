"""Train several models on your table or folder, compare them, and keep the best one as a run.

weft fit TABLE_OR_FOLDER --target COLUMN [--minutes 10] [--out DIR]
weft fit TABLE_OR_FOLDER --pair image text [--minutes 10] [--out DIR]

Prints the columns and their kinds, a leaderboard with paired intervals, what each column is worth, and alarms.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import tyro

from weft.commands._outputs import check_kept
from weft.commands._own_data import OwnLabels
from weft.commands._parsing import parse
from weft.core.errors import WeftError
from weft.core.language import say
from weft.fitting.settings import FitSettings


@dataclass(frozen=True)
class Arguments(FitSettings, OwnLabels):
    """The data, what is to be predicted, and the time."""

    data: Annotated[Path, tyro.conf.Positional]
    """A table, or a folder in any known format."""
    target: tuple[str, ...] = ()
    """Column to predict. Several columns get one leaderboard each."""
    pair: tuple[str, str] | None = None
    """Two columns for retrieval in both directions, such as image text, instead of a target."""
    out: Path | None = None
    """Folder for the run, the leaderboard and its page. Each of several targets gets its own folder. Default:
    runs/fit-NAME."""


def main(words: list[str]) -> None:
    """Prints the results and the run directory."""
    arguments = parse(Arguments, words, "weft fit")
    if arguments.pair is not None and arguments.target:
        raise WeftError("got --target and --pair, expected one of them")
    from weft.fitting.api import default_folder
    from weft.fitting.result import BOARD, SPLITS, TRIALS
    from weft.runs.parts import RECIPE

    out = arguments.out or default_folder(arguments.data)
    for name in (BOARD, SPLITS, RECIPE):
        check_kept(out / name, [arguments.data])
    try:
        _fit(arguments, out)
    except KeyboardInterrupt as stop:
        if not any(out.rglob(TRIALS)):
            raise
        kept = "candidates that are finished are kept; the same command goes on from there"
        stop.args = (f"interrupted: {kept} ({out})",)
        raise


def _fit(arguments: Arguments, out: Path) -> None:
    from weft.fitting.choice import features_used
    from weft.fitting.fit import fit
    from weft.fitting.opening import open_table, usable
    from weft.fitting.pair import fit_pair
    from weft.fitting.printing import print_result
    from weft.fitting.result import folder_of

    named = (*arguments.target, *(arguments.pair or ()), *arguments.without)
    opened = open_table(arguments.data, arguments.said(arguments.data), named)
    print(opened.schema)
    if arguments.pair is None and not arguments.target:
        columns = ", ".join(opened.schema.columns)
        raise WeftError(
            f"--target names the column to predict (or --pair two columns for retrieval), one of: {columns}"
        )
    settings = replace(arguments, minutes=arguments.minutes / max(1, len(arguments.target)))
    used: set[str] = set()
    if arguments.pair is not None:
        print_result(fit_pair(opened, arguments.pair, out, settings))
        used = {str(opened.schema.columns[name].kind) for name in arguments.pair}
    several = len(arguments.target) > 1
    for target in arguments.target:
        used |= set(usable(opened.schema, target, arguments.without).values())
        folder = folder_of(target, out) if several else out
        print_result(fit(opened, target, folder, settings))
    for line in features_used(used, settings):
        print(say(line))
