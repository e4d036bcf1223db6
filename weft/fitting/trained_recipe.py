"""A recipe as a candidate: one run per fold, with as many steps as the time allows."""

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from weft.core import config as configs
from weft.core.documents import write_checked
from weft.core.files import read_file, write_bytes
from weft.data.features import CacheConfig
from weft.data.learned import MODALITIES
from weft.data.sources import DataSource
from weft.fitting.folds import Rows, grouped_folds
from weft.fitting.source import AssignedConfig
from weft.fitting.table import Ints, Table
from weft.inference.config import InferenceConfig
from weft.runs.parts import MODEL, RECIPE, WEIGHTS, load_recipe
from weft.runs.recipe import Recipe
from weft.runs.timing import seconds_per_step
from weft.runs.train import resume, train
from weft.tasks.base import SlicedConfig
from weft.training.log import LOG

BATCH, MOST_EPOCHS, FEWEST_STEPS = 128, 40, 100
CHOOSING_FOLDS = 8
"""Number of folds of the training rows. One of them chooses the best weights."""
RESAMPLES = 20
"""Resamples for the intervals of validation scores. Few, since nobody reads these intervals."""
WARM, TIMED = 2, 6
EVALUATING = 1.3
"""Duration of training with evaluations and checkpoints, relative to the steps alone."""
MEASURING = InferenceConfig(batch_size=CacheConfig().batch_size)
"""The batch size is that of the feature cache, because the activations of a picture model take much memory per row."""
TIMING = 5.0
"""Least number of seconds left for timing a few steps."""


@dataclass(frozen=True)
class TrainingRows:
    """The rows of `table`, which come from `source`. clusters, strata: (N,) as in `grouped_folds`."""

    source: DataSource
    table: Table
    clusters: Ints
    strata: Ints
    seed: int


class TrainedRecipe(ABC):
    """A recipe that is trained on a part of a table."""

    @property
    @abstractmethod
    def training_rows(self) -> TrainingRows:
        """All rows on which it may be trained."""

    @abstractmethod
    def recipe(self, source: DataSource, rows: int, steps: int) -> Recipe:
        """The recipe for `rows` rows, the split `train` of the source. Split `validation` chooses the weights."""

    def plan_steps(self, rows: Rows, seconds: float, folder: Path) -> int:
        """The number of steps that fit in the time, at most MOST_EPOCHS epochs; 0 if it is less than FEWEST_STEPS."""
        if seconds < TIMING:
            return 0
        source = self._source(rows, folder / "timing.json")
        recipe = self.recipe(source, len(rows), WARM + TIMED)
        began = time.monotonic()
        step = seconds_per_step(recipe, WARM, TIMED)
        most = max(-(-MOST_EPOCHS * len(rows) // recipe.run.batch_size), FEWEST_STEPS)
        left = seconds - (time.monotonic() - began)
        steps = min(int(left / (EVALUATING * step)), most)
        return steps if steps >= FEWEST_STEPS else 0

    def trained(self, rows: Rows, steps: int, folder: Path) -> Path:
        """Trains a run on these rows in `folder`, or resumes the one that was started there. Returns `folder`."""
        if (folder / RECIPE).exists():
            resume(folder)
        else:
            source = self._source(rows, folder / "splits.json")
            train(self.recipe(source, len(rows), steps), folder)
        return folder

    def _source(self, rows: Rows, path: Path) -> AssignedConfig:
        """These rows as a source. Some of their clusters form the validation split."""
        of = self.training_rows
        folds = grouped_folds(of.clusters[rows], of.strata[rows], CHOOSING_FOLDS, of.seed)
        splits = {of.table.samples[row].id: "train" for row in rows.tolist()}
        for row in rows[folds[0].held].tolist():
            splits[of.table.samples[row].id] = "validation"
        write_checked(path, {"splits": splits})
        return AssignedConfig(of.source, path.absolute())


def of_length(recipe: Recipe, rows: int, steps: int, seed: int) -> Recipe:
    """The recipe with `steps` steps on `rows` rows, without outputs that a candidate does not need."""
    tasks = {name: task.replace(resamples=RESAMPLES) for name, task in recipe.tasks.items()}
    tasks = {
        name: task.replace(slices=()) if isinstance(task, SlicedConfig) else task
        for name, task in tasks.items()
    }
    run = recipe.run.replace(
        steps=steps,
        batch_size=max(1, min(BATCH, rows // 2)),
        seed=seed,
        evaluate_every=max(1, steps // 5),
        checkpoint_every=max(1, steps // 2),
        workers=0,
    )
    return recipe.replace(tasks=tasks, run=run)


def planned_steps(run: Path) -> int | None:
    """The number of steps of the run in this folder; None if there is no run."""
    return load_recipe(run).run.steps if (run / RECIPE).exists() else None


def keep_trained(run: Path, folder: Path, source: DataSource, splits: Mapping[str, str]) -> None:
    """Copies the trained run to `folder`, with `source` as its data. splits: as in `keep`."""
    recipe = load_recipe(run)
    data = recipe.data.replace(source=source, validation=splits["validation"], test=splits["test"])
    configs.save(recipe.replace(data=data), folder / RECIPE)
    for name in (MODEL, MODALITIES, WEIGHTS, LOG):
        write_bytes(folder / name, read_file(run / name))
