"""Measures the time of a training step on this machine."""

import json
import statistics
import tempfile
from itertools import pairwise
from pathlib import Path

from weft.core.files import read_file
from weft.runs.recipe import Recipe
from weft.runs.train import train
from weft.training.log import LOG

WARM, TIMED = 4, 16
"""Number of untimed warm-up steps, and of timed steps."""
GROUP = 4
"""Number of timed steps in a group."""


def seconds_per_step(recipe: Recipe, warm: int = WARM, timed: int = TIMED) -> float:
    """Returns the seconds of one training step of the recipe, including reading its rows, without evaluations.

    A run of `warm` and `timed` steps is trained in a temporary folder. The timed steps are divided into groups, and
    the result is the mean of the faster half of the groups, because the machine may be busy for a moment.
    """
    run = recipe.run.replace(
        steps=warm + timed, epochs=None, evaluate_every=0, checkpoint_every=0, log_every=1
    )
    short = recipe.replace(run=run.replace(monitor=None), tasks={})
    with tempfile.TemporaryDirectory() as place:
        folder = train(short, Path(place) / "timing").folder
        lines = map(json.loads, read_file(folder / LOG).splitlines())
        # The rate in a log line is the mean of all steps so far.
        passed = [line["step"] * run.batch_size / line["samples_per_second"] for line in lines]
    # Batches are read ahead, so a fast step follows a slow one, and single steps vary.
    group = GROUP if timed > GROUP else 1
    marks = passed[warm - 1 :: group]
    each = sorted((later - sooner) / group for sooner, later in pairwise(marks))
    return statistics.fmean(each[: -(-len(each) // 2)])
