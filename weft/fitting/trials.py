"""Candidates are fitted and measured within the time; what is finished is kept and not computed again."""

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
from weft.fitting.candidates import Candidate, Features, fitted
from weft.fitting.features import side_by_side
from weft.fitting.folds import Plan
from weft.fitting.goal import Goal
from weft.fitting.models import Fitted, Floats
from weft.fitting.table import Ints

SETTING_UP = 1.5
"""A candidate is begun where the time left is at least so many times what the most like one took."""


@dataclass(frozen=True)
class Trial:
    """A candidate and what it says of the rows that compare (H, V), in the order of `Plan.held`.

    models: of each fold; empty where the trial was taken over. seconds: of fitting all folds. memory: the
    most that the process has held until then, in MB.
    """

    candidate: Candidate
    outputs: Floats
    seconds: float
    memory: float
    models: Sequence[Fitted] = field(default=(), compare=False)


@dataclass(frozen=True)
class Setting:
    """All that the trials share. stamp: changes when any of it does."""

    goal: Goal
    clusters: Ints
    strata: Ints
    plan: Plan
    seed: int
    stamp: str


def run_trials(
    candidates: Sequence[Candidate],
    features: Features,
    setting: Setting,
    folder: Path,
    *,
    deadline: float,
) -> tuple[list[Trial], list[str]]:
    """The trials, and the names of the candidates for which there was no time.

    deadline: of time.monotonic(). The constant is always tried. folder: where finished trials are kept.
    """
    found: list[Trial] = []
    left_out: list[str] = []
    with progress("candidates", len(candidates)) as advance:
        for candidate in candidates:
            kept = _kept(candidate, folder, setting.stamp)
            if kept is None and found and not _fits(candidate, found, deadline):
                left_out.append(candidate.name)
            else:
                found.append(kept or _tried(candidate, features, setting, folder))
            advance(1)
    return found, left_out


def _fits(candidate: Candidate, before: Sequence[Trial], deadline: float) -> bool:
    like = [trial.seconds for trial in before if trial.candidate.model == candidate.model]
    return time.monotonic() + SETTING_UP * max(like, default=0.0) < deadline


def _tried(candidate: Candidate, features: Features, setting: Setting, folder: Path) -> Trial:
    began = time.monotonic()
    matrix = side_by_side(features.of(candidate))
    models, parts = [], []
    for fold in setting.plan.folds:
        model = fitted(
            candidate,
            features,
            setting.goal,
            setting.clusters,
            setting.strata,
            fold.train,
            setting.seed,
        )
        models.append(model)
        parts.append(model.outputs(matrix[fold.held]))
    seconds = time.monotonic() - began
    trial = Trial(candidate, np.concatenate(parts), seconds, peak_memory(), models)
    state = {"stamp": setting.stamp, "seconds": trial.seconds, "memory": trial.memory}
    write_tensors(
        _file(candidate, folder), {"outputs": torch.from_numpy(trial.outputs)}, {"trial": state}
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
            candidate, tensors["outputs"].numpy(), float(of["seconds"]), float(of["memory"])
        )
    except (WeftError, KeyError, TypeError, ValueError):
        return None  # cut off or of another version: it is computed again


def _file(candidate: Candidate, folder: Path) -> Path:
    import hashlib

    name = hashlib.blake2b(candidate.name.encode(), digest_size=6).hexdigest()
    return folder / f"{candidate.model}-{name}.safetensors"


def peak_memory() -> float:
    """The most that the process has held in memory so far, in MB."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1 << 20 if sys.platform == "darwin" else 1 << 10)
