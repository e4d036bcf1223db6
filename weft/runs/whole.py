"""Checks whether a folder holds a trained run, and whether its training has ended."""

import difflib
import logging
from pathlib import Path

from weft.core.errors import WeftError
from weft.runs.parts import MODEL, RECIPE, WEIGHTS
from weft.training import checkpoint

NAMED = 10
"""Maximum number of runs that a hint names."""
log = logging.getLogger("weft.runs")


def runs_in(folder: Path) -> str:
    """Returns a hint for a folder that is no run: the runs in it, or those beside it with similar names."""
    if folder.is_dir():
        inside = [str(one) for one in sorted(folder.iterdir()) if (one / RECIPE).is_file()]
        if len(inside) > NAMED:
            return f"; {len(inside)} runs in it, such as {', '.join(inside[:NAMED])}"
        return f"; runs in it: {', '.join(inside)}" if inside else ""
    beside = folder.absolute().parent
    runs = [one.parent.name for one in beside.glob(f"*/{RECIPE}")]
    near = difflib.get_close_matches(folder.name, runs, n=3)
    return f"; did you mean {' or '.join(str(folder.with_name(n)) for n in near)}?" if near else ""


def check_run(folder: Path) -> None:
    """Raises WeftError if the folder is no run."""
    if not (folder / RECIPE).exists():
        raise WeftError(f"{folder}: is not a trained run ({RECIPE} is missing){runs_in(folder)}")


def check_whole(folder: Path) -> None:
    """Raises WeftError if it is not a trained run. Warns if its training has not ended."""
    check_run(folder)
    unfinished = checkpoint.progress(folder)
    state = "" if unfinished is None else "{:,} of {:,} steps are done".format(*unfinished)
    for name in (MODEL, WEIGHTS):
        if not (folder / name).exists():
            raise WeftError(
                f"{folder}: its training has not reached its first evaluation ({name} is "
                f"missing{state and f'; {state}'}); continue with: weft train --resume {folder}"
            )
    if state:
        log.warning(
            "%s: its training has not ended, %s; these are its best weights so far. Go on with: "
            "weft train --resume %s",
            *(folder, state, folder),
        )
