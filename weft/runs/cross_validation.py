"""Cross-validation: one run for each value of a column, trained without its rows and measured on them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from weft.core.errors import WeftError
from weft.core.language import say
from weft.core.tables import TableColumn, TextTable
from weft.data.sources import BETWEEN, FilesConfig
from weft.evaluation.metric import Metric, Score, by_name, mean_score
from weft.inference.results import NOTEBOOK, TaskResult
from weft.runs.compare import trained
from weft.runs.measure import measure, task_config
from weft.runs.recipe import Recipe
from weft.runs.run import load

MOST_FOLDS = 100


@dataclass(frozen=True)
class CrossValidation:
    """folds: value of the column -> results of its run. runs: their folders.

    pooled: metric -> the mean over the rows of all folds, with an interval over their groups. A metric that is not a
    mean over rows has only a value for each fold.
    """

    task: str
    column: str
    folds: Mapping[str, TaskResult]
    runs: Mapping[str, Path]
    pooled: Mapping[str, Score]

    def __repr__(self) -> str:
        return f"{self.task}, cross-validation by {self.column}\n{self.table().text(NOTEBOOK)}"

    def _repr_html_(self) -> str:
        return self.table().html()

    def table(self) -> TextTable:
        """Returns one row for each metric: the pooled value with its interval, and each fold."""
        columns = [
            TableColumn(say("metric"), long="whole"),
            TableColumn(say("all rows"), right=True),
            TableColumn(say("95% interval"), right=True),
            TableColumn(say("unit"), long="whole"),
            *(TableColumn(value, right=True) for value in self.folds),
        ]
        rows = []
        for name, metric in self.metrics.items():
            scores = [fold.metrics.get(name) for fold in self.folds.values()]
            every = self.pooled.get(name)
            rows.append(
                [
                    *(name, *((every.shown, every.interval) if every else ("", "")), metric.unit),
                    *("" if score is None else score.shown for score in scores),
                ]
            )
        return TextTable(columns, rows)

    @property
    def metrics(self) -> dict[str, Metric]:
        """The important metrics: the pooled ones and the headlines."""
        found = {
            name: score.metric
            for fold in self.folds.values()
            for name, score in fold.metrics.items()
        }
        return {name: m for name, m in found.items() if name in self.pooled or m.headline}

    def to_json(self) -> dict[str, Any]:
        return {
            "task": self.task,
            "column": self.column,
            "pooled": {name: score.to_json() for name, score in self.pooled.items()},
            "folds": {value: fold.to_json() for value, fold in self.folds.items()},
            "runs": {value: str(run) for value, run in self.runs.items()},
        }


def cross_validate(
    recipe: Recipe, folder: Path, column: str, *, task: str | None = None, together: int = 1
) -> CrossValidation:
    """Trains one run for each value of `column` into a subfolder of `folder`, and measures it on the held out rows.
    Existing runs of the same recipe in `folder` are reused or continued.

    task: by default the recipe's first. together: number of consecutive values that one run leaves out. Raises
    WeftError if the rows do not come from files, or the column is missing or has too many values.
    """
    source = recipe.data.source
    if not isinstance(source, FilesConfig):
        raise WeftError(f"cross-validation needs rows from files, the recipe has {source.words}")
    values = _parts(_values(source, column), together, f"{source.path}: column '{column}'")
    name = task or next(iter(recipe.tasks), None)
    if name is None:
        raise WeftError("the recipe has no task to measure: name one (--task)")
    task_config(recipe, name)  # an unknown task must be reported before training
    folds, runs = {}, {}
    for number, value in enumerate(values, start=1):
        data = recipe.data.replace(source=source.replace(held_out={column: value}))
        runs[value] = folder / f"fold-{number}"
        trained(recipe.replace(data=data), runs[value])
        folds[value] = measure([load(runs[value])], name).result
    return CrossValidation(name, column, folds, runs, by_name(pooled(list(folds.values()))))


def pooled(results: Sequence[TaskResult]) -> list[Score]:
    """Returns each metric that all results have row by row, as the mean over all rows."""
    shared = [name for name in results[0].values if all(name in one.values for one in results)]
    found = []
    for name in shared:
        columns = [one.values[name] for one in results]
        values = torch.cat([column.values.double() for column in columns])
        groups = torch.cat([column.groups for column in columns])
        found.append(mean_score(results[0].metrics[name].metric, values, groups))
    return found


def _parts(values: Sequence[str], together: int, where: str) -> list[str]:
    """Groups the values, `together` at a time, as `held_out` expects them."""
    if not 1 <= together < len(values) or len(values) % together:
        raise WeftError(
            f"{where} has {len(values)} values, which cannot be divided into sets of {together} that are left out "
            "together, expected a divisor"
        )
    return [BETWEEN.join(values[n : n + together]) for n in range(0, len(values), together)]


def _values(source: FilesConfig, column: str) -> list[str]:
    """Returns the values of the column, numbers in numerical order."""
    found = {
        str(sample.items[column])
        for sample in source.open_every()
        if sample.items.get(column) is not None
    }
    if not 2 <= len(found) <= MOST_FOLDS:
        raise WeftError(
            f"{source.path}: column '{column}' has {len(found):,} different values, expected 2 to {MOST_FOLDS}: "
            "each is a fold"
        )
    return sorted(found, key=lambda value: (len(value), value) if value.isdigit() else (0, value))
