"""How long a training step takes on this machine."""

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
"""Steps that are not timed, and steps that are."""
GROUP = 4
"""Timed steps that are taken together."""


def seconds_per_step(recipe: Recipe, warm: int = WARM, timed: int = TIMED) -> float:
    """Seconds of one step of the recipe, with the reading of its rows, without evaluations.

    A run of `warm` and `timed` steps is trained in a temporary folder. The timed steps are taken in groups,
    and the mean of the faster half of the groups counts: the machine may be busy for a moment.
    """
    run = recipe.run.replace(
        steps=warm + timed, epochs=None, evaluate_every=0, checkpoint_every=0, log_every=1
    )
    short = recipe.replace(run=run.replace(monitor=None), tasks={})
    with tempfile.TemporaryDirectory() as place:
        folder = train(short, Path(place) / "timing").folder
        lines = map(json.loads, read_file(folder / LOG).splitlines())
        # The rate in a line is that of all steps up to it.
        passed = [line["step"] * run.batch_size / line["samples_per_second"] for line in lines]
    # Batches are read ahead, so that a fast step follows a slow one: single steps say little.
    group = GROUP if timed > GROUP else 1
    marks = passed[warm - 1 :: group]
    each = sorted((later - sooner) / group for sooner, later in pairwise(marks))
    return statistics.fmean(each[: -(-len(each) // 2)])
