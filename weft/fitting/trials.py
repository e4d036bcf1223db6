"""Fits and measures candidates within the time limit. Finished trials are saved and not computed again."""

import hashlib
import resource
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from weft.core.errors import WeftError
from weft.core.progress import progress
from weft.core.tensors import read_tensors, write_tensors
from weft.fitting.boosting import trees_seconds
from weft.fitting.candidates import Candidate, Features, fitted
from weft.fitting.features import side_by_side
from weft.fitting.folds import Plan, Rows
from weft.fitting.goal import Goal
from weft.fitting.models import Fitted, Floats
from weft.fitting.table import Ints
from weft.fitting.trained import Shared
from weft.fitting.trained_recipe import planned_steps

ALWAYS = 2
"""Number of candidates that are always tried, even without time left: the constant and a linear model."""
SETTING_UP = 1.5
"""A candidate is started only if the remaining time is at least this many times that of the most similar candidate."""


@dataclass(frozen=True)
class Trial:
    """A candidate and its outputs (H, V) for the comparison rows, in the order of `Plan.held`.

    models: of each fold; empty if the trial was loaded. seconds: for fitting all folds. memory: peak memory of the
    process until then, in MB. steps: of a recipe.
    """

    candidate: Candidate
    outputs: Floats
    seconds: float
    memory: float
    models: Sequence[Fitted] = field(default=(), compare=False)
    steps: int = 0


@dataclass(frozen=True)
class Setting:
    """Settings of all trials. stamp: changes with any of them. means: linear models of classes use class means."""

    goal: Goal
    clusters: Ints
    strata: Ints
    plan: Plan
    seed: int
    stamp: str
    means: bool = False

    def fitted(self, candidate: Candidate, features: Features, rows: Rows) -> Fitted:
        """Fits the candidate's model on these rows."""
        of = self.clusters, self.strata
        return fitted(candidate, features, self.goal, *of, rows, self.seed, means=self.means)


def run_trials(
    candidates: Sequence[Candidate],
    features: Features,
    setting: Setting,
    folder: Path,
    shared: Shared,
    *,
    deadline: float,
) -> tuple[list[Trial], list[str]]:
    """Returns the trials, and the names of the candidates for which there was no time.

    deadline: on the clock of time.monotonic(). The first ALWAYS candidates are tried even after it. folder: for
    finished trials.
    """
    found: list[Trial] = []
    left_out: list[str] = []
    with progress("candidates", len(candidates)) as advance:
        for number, candidate in enumerate(candidates):
            trial = _kept(candidate, folder, setting.stamp)
            if trial is None and candidate.is_trained:
                share = (deadline - time.monotonic()) / (len(candidates) - number)
                trial = _tried_recipe(candidate, shared, setting, folder, share)
            elif trial is None and (
                number < ALWAYS or _fits(candidate, found, features, setting, deadline)
            ):
                trial = _tried(candidate, features, setting, folder)
            if trial is None:
                left_out.append(candidate.name)
            else:
                found.append(trial)
            advance(1)
    return found, left_out


def _fits(
    candidate: Candidate,
    before: Sequence[Trial],
    features: Features,
    setting: Setting,
    deadline: float,
) -> bool:
    like = [trial.seconds for trial in before if trial.candidate.model == candidate.model]
    if candidate.model == "trees":
        rows, width = (
            len(setting.plan.folds[0].train),
            sum(c.dim + 1 for c in features.of(candidate)),
        )
        like.append(len(setting.plan.folds) * trees_seconds(rows, width, setting.goal.outputs))
    return time.monotonic() + SETTING_UP * max(like, default=0.0) < deadline


def _tried_recipe(
    candidate: Candidate, shared: Shared, setting: Setting, folder: Path, seconds: float
) -> Trial | None:
    """Trains one run per fold, with as many steps as fit in the time; None if these are too few."""
    began = time.monotonic()
    folds = setting.plan.folds
    runs = 1 if len(folds) == 1 else len(folds) + 1  # 1 for the final run on all rows
    recipe = shared.of(candidate, setting.goal)
    place = runs_folder(candidate, folder, setting.stamp)
    steps = planned_steps(place / "fold-0")
    if steps is None:
        steps = recipe.plan_steps(folds[0].train, seconds / runs, place)
    if not steps:
        return None
    parts = []
    for number, fold in enumerate(folds):
        run = recipe.trained(fold.train, steps, place / f"fold-{number}")
        parts.append(recipe.outputs(run, fold.held))
    trial = Trial(
        candidate,
        np.concatenate(parts),
        time.monotonic() - began,
        peak_memory(),
        steps=steps,
    )
    return _saved(trial, folder, setting.stamp)


def _tried(candidate: Candidate, features: Features, setting: Setting, folder: Path) -> Trial:
    began = time.monotonic()
    matrix = side_by_side(features.of(candidate))
    models, parts = [], []
    for fold in setting.plan.folds:
        model = setting.fitted(candidate, features, fold.train)
        models.append(model)
        parts.append(model.outputs(matrix[fold.held]))
    seconds = time.monotonic() - began
    trial = Trial(candidate, np.concatenate(parts), seconds, peak_memory(), models)
    return _saved(trial, folder, setting.stamp)


def _saved(trial: Trial, folder: Path, stamp: str) -> Trial:
    state = {
        "stamp": stamp,
        "seconds": trial.seconds,
        "memory": trial.memory,
        "steps": trial.steps,
    }
    write_tensors(
        _file(trial.candidate, folder),
        {"outputs": torch.from_numpy(trial.outputs)},
        {"trial": state},
    )
    return trial


def _kept(candidate: Candidate, folder: Path, stamp: str) -> Trial | None:
    path = _file(candidate, folder)
    if not path.exists():
        return None
    try:
        tensors, state = read_tensors(path)
        of: Mapping[str, Any] = state["trial"]
        if of["stamp"] != stamp:
            return None
        return Trial(
            candidate,
            tensors["outputs"].numpy(),
            float(of["seconds"]),
            float(of["memory"]),
            steps=int(of["steps"]),
        )
    except (WeftError, KeyError, TypeError, ValueError):
        return None  # truncated or of another version: compute it again


def _file(candidate: Candidate, folder: Path) -> Path:
    name = hashlib.blake2b(candidate.name.encode(), digest_size=6).hexdigest()
    return folder / f"{candidate.model}-{name}.safetensors"


def runs_folder(candidate: Candidate, folder: Path, stamp: str) -> Path:
    """The folder of the runs of a recipe. Runs with other rows or settings have another folder."""
    name = hashlib.blake2b(f"{candidate.name} {stamp}".encode(), digest_size=6).hexdigest()
    return folder / f"{candidate.model}-{name}"


def peak_memory() -> float:
    """Peak memory of the process so far, in MB."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1 << 20 if sys.platform == "darwin" else 1 << 10)
