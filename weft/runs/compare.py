"""Trains several recipes on the same data, budget and seeds, measures them, and compares them in pairs.

An entry may be several recipes. They are trained in sequence within the same budget, each from the weights of the one
before: pretraining and fine-tuning.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from weft.core.distributed import rank
from weft.core.errors import WeftError, unknown_name
from weft.core.language import say
from weft.evaluation.bootstrap import Bootstrap, Estimate
from weft.evaluation.comparison import Comparison, against_best
from weft.evaluation.metric import Metric, find
from weft.inference.results import TaskResult, Values
from weft.runs.budget import Budget
from weft.runs.judged import check_judges, judged, metrics_of, names_of
from weft.runs.measure import measure
from weft.runs.parts import RECIPE, load_recipe, open_split
from weft.runs.recipe import Recipe, validation_metrics
from weft.runs.run import load
from weft.runs.train import resume, train
from weft.runs.trained import TrainedModel


@dataclass(frozen=True)
class Contestant:
    """One recipe's runs, one for each seed, and their results.

    steps: of a run, including pretraining. metrics: the metric's value for each seed, on the rows of the split.
    values: the mean over the seeds, row by row. estimate: the mean over rows and its interval over groups. seconds:
    training time of each run, including pretraining; None if the run already existed.
    """

    name: str
    runs: Sequence[Path]
    steps: int
    parameters: int
    seconds: Sequence[float | None]
    metrics: Sequence[float]
    values: Values
    estimate: Estimate
    baselines: Mapping[str, float]


@dataclass(frozen=True)
class Contest:
    """All contestants, the best first, each compared with the best, paired row by row.

    The intervals and p-values of `against_best` hold for all pairs simultaneously.
    """

    task: str
    metric: Metric
    split: str
    budget: str
    seeds: Sequence[int]
    contestants: Sequence[Contestant]
    against_best: Mapping[str, Comparison]

    @property
    def correction(self) -> str:
        """One sentence on how the intervals account for the choice of the best."""
        systems = len(self.contestants)
        pairs = systems * (systems - 1) // 2
        return (
            f"The best of {systems} was chosen by these numbers. Intervals and p-values of the "
            f"differences hold for {'the one pair' if pairs == 1 else f'all {pairs} pairs at once'} (max-T)."
        )


def contest(
    entries: Mapping[str, Sequence[Recipe]],
    folder: Path,
    *,
    budget: Budget,
    seeds: Sequence[int] = (0,),
    metric: str | None = None,
    split: str | None = None,
    judges: Sequence[TrainedModel] = (),
) -> Contest:
    """Trains every recipe with every seed into `folder`, and compares them on the same rows.

    entries: name -> its recipe, or several, of which the last is measured. A run starts from the pretraining with the
    same seed. metric: task/metric; by default the first task's first metric that is a mean over rows. split: by
    default the recipes' test split. judges: of generated values; their metrics are called task/judge/metric. Existing
    runs in `folder` with the same recipe are reused or continued. Raises WeftError, before training, if the recipes do
    not share the task, the metric has no value for each row, the split is unknown, or a seed is given twice; and if
    the rows of their splits differ.
    """
    if len(entries) < 2:
        raise WeftError(f"a comparison got {len(entries)} recipes, expected two or more")
    if not seeds or len(set(seeds)) < len(seeds):
        raise WeftError(f"seeds are {list(seeds)}, expected one or more, each once")
    measured = {entry: recipes[-1] for entry, recipes in entries.items()}
    task, named = _task(measured, metric), names_of(judges)
    name = None if metric is None else metric.partition("/")[2]
    for recipe in measured.values():
        check_judges(judges, recipe, task)
        if split is not None:
            open_split(recipe, split)  # an unknown one is named before training
    judged_by = [one.of(task) for key in named for one in metrics_of(named[key], key)]
    _check_metric([[*validation_metrics(r), *judged_by] for r in measured.values()], task, name)
    contestants: list[Contestant] = []
    for entry, recipes in entries.items():
        steps = budget.steps_of(entry, recipes, folder)
        results: list[TaskResult] = []
        runs: list[Path] = []
        seconds: list[float | None] = []
        for seed in seeds:
            run, took = _in_turn(entry, recipes, steps, seed, folder)
            seconds.append(took)
            results.append(_measured(run, task, split, named))
            runs.append(run)
        name = name or next(iter(_row_means(results[0])), None)
        if name is None:
            raise WeftError(f"task '{task}' gives no value row by row, so nothing can be paired")
        contestants.append(_contestant(entry, runs, sum(steps), seconds, results, name))
    _require_same_rows(contestants)
    of = results[0].metrics[str(name)].metric
    contestants.sort(key=lambda one: of.best_first(one.estimate.value))
    values = [one.values.values for one in contestants]
    compared = against_best(values, contestants[0].values.groups, best=0)
    return Contest(
        task=task,
        metric=of,
        split=split or next(iter(measured.values())).data.test,
        budget=str(budget),
        seeds=tuple(seeds),
        contestants=contestants,
        against_best={contestants[n].name: one for n, one in compared.items()},
    )


def _measured(
    run: Path, task: str, split: str | None, judges: Mapping[str, TrainedModel]
) -> TaskResult:
    found = measure([load(run)], task, split=split)
    for name, judge in judges.items():
        found = judged(found, judge, name)
    return found.result


def _check_metric(declared: Sequence[Sequence[Metric]], task: str, name: str | None) -> None:
    """Raises WeftError if the metric task/`name` has no value for each row; without a name, if none of the task has.

    declared: the metrics of each recipe, named TASK/METRIC.
    """
    first, *others = ([one.name for one in metrics if one.row_mean] for metrics in declared)
    means = [one for one in first if all(one in other for other in others)]
    known = ", ".join(means) or "none"
    if name and not all(find(metrics, f"{task}/{name}").row_mean for metrics in declared):
        raise WeftError(
            f"{task}/{name} has no value for each row, by which recipes are compared; metrics that have: {known}"
        )
    if not any(one.startswith(f"{task}/") for one in means):
        raise WeftError(
            f"no metric of task '{task}' has a value for each row, by which recipes are compared; metrics that "
            f"have (--metric): {known}"
        )


def _row_means(result: TaskResult) -> list[str]:
    """Returns the names of the metrics that have a value for each row."""
    return [name for name in result.values if result.metrics[name].metric.row_mean]


def row_values(result: TaskResult, metric: str) -> Values:
    """Returns the metric row by row, in its unit. Raises WeftError for an unknown name."""
    means = _row_means(result)
    if metric not in means:
        raise unknown_name(f"metric of {result.task} that is a mean over rows", metric, means)
    return result.values[metric]


def _task(entries: Mapping[str, Recipe], metric: str | None) -> str:
    """Returns the task by which all recipes are measured."""
    first = next(iter(entries.values()))
    task = next(iter(first.tasks)) if metric is None else metric.partition("/")[0]
    for name, recipe in entries.items():
        if task not in recipe.tasks:
            raise WeftError(f"{name}: {unknown_name('task', task, recipe.tasks)}")
    return task


def _within(recipe: Recipe, steps: int, seed: int) -> Recipe:
    """Returns the recipe with that budget and seed, evaluated five times and at the end."""
    every = max(1, steps // 5)
    run = recipe.run.replace(steps=steps, epochs=None, seed=seed, evaluate_every=every)
    return recipe.replace(run=run.replace(checkpoint_every=every))


def _in_turn(
    entry: str, recipes: Sequence[Recipe], steps: Sequence[int], seed: int, folder: Path
) -> tuple[Path, float | None]:
    """Trains the recipes in sequence, each from the weights of the one before. Returns the last run, and the total
    seconds if all were trained now."""
    run: Path | None = None
    took: list[float | None] = []
    for place, (recipe, number) in enumerate(zip(recipes, steps, strict=True), 1):
        one = _within(recipe, number, seed)
        if run is not None:
            one = one.replace(init=run)
        before = f"-pretraining{place}" if place < len(recipes) else ""
        run = folder / f"{entry}-seed{seed}{before}"
        size = one.run.batch_size
        if rank() == 0:
            print(say(f"training: {run.name}, {number} steps of {size} rows"), flush=True)
        took.append(trained(one, run))
    assert run is not None
    known = [one for one in took if one is not None]
    return run, sum(known) if len(known) == len(took) else None


def trained(recipe: Recipe, run: Path) -> float | None:
    """Trains into `run`, or continues it. Returns the seconds if it was trained now."""
    if not (run / RECIPE).exists():
        return train(recipe, run).fit.seconds
    there = load_recipe(run)
    # The precision was chosen by the machine on which the run began.
    if there != recipe.replace(run=recipe.run.replace(precision=there.run.precision)):
        raise WeftError(
            f"{run}: holds a run of another recipe, budget or seed: choose another --out"
        )
    resume(run)
    return None


def _contestant(
    name: str,
    runs: Sequence[Path],
    steps: int,
    seconds: Sequence[float | None],
    results: Sequence[TaskResult],
    metric: str,
) -> Contestant:
    columns = [row_values(result, metric) for result in results]
    values = torch.stack([column.values.double() for column in columns]).mean(0)
    groups = columns[0].groups
    model = load(runs[0]).model
    return Contestant(
        name=name,
        runs=runs,
        steps=steps,
        parameters=sum(p.numel() for p in model.parameters() if p.requires_grad),
        seconds=seconds,
        metrics=[float(column.values.double().mean()) for column in columns],
        values=Values(values, groups),
        estimate=Bootstrap(groups).mean(values, groups).estimate(),
        baselines={
            baseline: values[metric]
            for baseline, values in results[0].baselines.items()
            if metric in values
        },
    )


def _require_same_rows(contestants: Sequence[Contestant]) -> None:
    first = contestants[0]
    for one in contestants[1:]:
        if not torch.equal(one.values.groups, first.values.groups):
            raise WeftError(
                f"{one.name} was measured on other rows ({len(one.values.groups)}) than {first.name} "
                f"({len(first.values.groups)}): give all the same --data"
            )
