"""How long a training step takes on this machine."""

import json
import statistics
import tempfile
from itertools import pairwise
from pathlib import Path

from weft.runs.recipe import Recipe
from weft.runs.train import train

WARM, TIMED = 4, 16
"""Steps that are not timed, and steps that are."""


def seconds_per_step(recipe: Recipe, warm: int = WARM, timed: int = TIMED) -> float:
    """Seconds of one step of the recipe, with the reading of its rows, without evaluations.

    A run of `warm` and `timed` steps is trained in a temporary folder. The mean of the faster half of the
    timed steps: the machine may be busy for a moment.
    """
    run = recipe.run.replace(
        steps=warm + timed, epochs=None, evaluate_every=0, checkpoint_every=0, log_every=1
    )
    short = recipe.replace(run=run.replace(monitor=None), tasks={})
    with tempfile.TemporaryDirectory() as place:
        folder = train(short, Path(place) / "timing").folder
        lines = map(json.loads, (folder / "log.jsonl").read_text().splitlines())
        # The rate in a line is that of all steps up to it.
        passed = [line["step"] * run.batch_size / line["samples_per_second"] for line in lines]
    each = sorted(later - sooner for sooner, later in pairwise(passed[warm - 1 :]))
    return statistics.fmean(each[: -(-timed // 2)])
