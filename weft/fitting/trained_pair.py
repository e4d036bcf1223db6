"""Projections with a hidden layer, trained on the features of two columns."""

import hashlib
import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from weft.architectures.model import ProjectionConfig
from weft.core import config as configs
from weft.core.documents import write_checked
from weft.core.records import Features
from weft.data.stamps import stamp
from weft.fitting.correlation import Maps
from weft.fitting.features import dense
from weft.fitting.folds import Rows, grouped_folds
from weft.fitting.leaderboard import Measured
from weft.fitting.models import Floats
from weft.fitting.pairs import Pairs
from weft.fitting.projections import pair_recipe, save_linear
from weft.fitting.recall import (
    TRAINED,
    measure_vectors,
)
from weft.fitting.result import TRIALS
from weft.fitting.source import AssignedConfig
from weft.fitting.trained import TIMING
from weft.runs.parts import WEIGHTS
from weft.runs.recipe import Recipe
from weft.runs.run import load
from weft.runs.timing import seconds_per_step
from weft.runs.train import train

EMBEDDING, HIDDEN = 256, 512
MOST_EPOCHS, FEWEST_STEPS = 60, 50


def train_projections(
    pairs: Pairs, linear: Sequence[Maps], folder: Path, deadline: float
) -> Measured | None:
    """Projections with a hidden layer, trained on the frozen features; None where there is no time."""
    began = time.monotonic()
    steps, vectors = planned_steps(folder), []
    for number, (fold, maps) in enumerate(zip(pairs.plan.folds, linear, strict=True)):
        recipe = network_recipe(pairs, maps, fold.train, folder / f"fold-{number}", steps)
        if not steps and deadline - time.monotonic() < TIMING:
            return None
        if not steps:
            step = seconds_per_step(recipe.replace(run=recipe.run.replace(steps=8)), 2, 6)
            runs = len(pairs.plan.folds) + (len(pairs.plan.folds) > 1)
            steps = _steps(step, (deadline - time.monotonic()) / runs, len(fold.train), recipe)
            if steps < FEWEST_STEPS:
                return None
            recipe = network_recipe(pairs, maps, fold.train, folder / f"fold-{number}", steps)
        place = folder / f"fold-{number}" / f"steps-{steps}"
        if not (place / WEIGHTS).exists():
            train(recipe, place)
        vectors.append(embedded(pairs, place))
    return measure_vectors(pairs, TRAINED, vectors, time.monotonic() - began)


def runs_of(pairs: Pairs, folder: Path) -> Path:
    """Where the trained runs are kept; those of other rows or settings have another place."""
    encoders = [configs.to_json(column.encoder_config) for column in pairs.columns]
    of = json.dumps(
        [stamp(pairs.table, range(len(pairs.table))), encoders, pairs.seed, pairs.plan.said]
    )
    return folder / TRIALS / f"pair-{hashlib.blake2b(of.encode(), digest_size=6).hexdigest()}"


def planned_steps(folder: Path) -> int:
    """The steps of the runs in the folder; 0 where none is finished."""
    done = [path.parent.name for path in folder.glob(f"fold-0/steps-*/{WEIGHTS}")]
    return int(done[0].removeprefix("steps-")) if done else 0


def _steps(step: float, seconds: float, rows: int, recipe: Recipe) -> int:
    most = max(MOST_EPOCHS * rows // recipe.run.batch_size, FEWEST_STEPS)
    return min(int(seconds / (1.5 * step)), most)


def network_recipe(pairs: Pairs, maps: Maps, rows: Rows, folder: Path, steps: int) -> Recipe:
    """From the run of the linear maps, whose encoders it has, on these rows; some of them choose the weights."""
    clusters = pairs.table.clusters[rows]
    held = grouped_folds(clusters, np.zeros(len(rows), dtype=np.int64), 8, pairs.seed)[0].held
    splits = {pairs.table.samples[row].id: "train" for row in rows.tolist()}
    splits |= {pairs.table.samples[row].id: "validation" for row in rows[held].tolist()}
    write_checked(folder / "splits.json", {"splits": splits})
    source = AssignedConfig(pairs.source, (folder / "splits.json").absolute())
    start = folder / "start"
    save_linear(pairs, maps, start, source, {})
    projections = {
        column.name: ProjectionConfig(
            column.dim, EMBEDDING, hidden=(HIDDEN,), dropout=0.3, norm=True, bias=True
        )
        for column in pairs.columns
    }
    return pair_recipe(pairs, projections, source, steps, init=start.absolute())


def embedded(pairs: Pairs, run: Path) -> tuple[Floats, Floats]:
    """What the run's projections make of the features of all rows."""
    model = load(run).model.cpu()
    found = []
    for column in pairs.columns:
        pooled = torch.from_numpy(dense(column.matrix))
        there = torch.from_numpy(column.there)[:, None]
        with torch.inference_mode():
            found.append(
                model.embed(column.name, Features(pooled[:, None], there, pooled)).double().numpy()
            )
    return found[0], found[1]
