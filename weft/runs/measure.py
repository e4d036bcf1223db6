"""Evaluates a run: tasks on a split, with a leakage audit."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from weft.core.config import Config, to_json
from weft.core.errors import WeftError, unknown_name
from weft.core.files import kept_folder, write_text
from weft.core.language import say
from weft.core.samples import group_key
from weft.data.formats import NOTHING_SAID, Dataset, Said
from weft.evaluation.leakage import Leakage, audit_datasets
from weft.inference.missing_table import MissingTable
from weft.inference.results import TaskResult
from weft.modalities.stream_kinds import kind_of_stream
from weft.runs.against import Against
from weft.runs.check import check_task, default_tasks, fitting_tasks
from weft.runs.own_columns import leaving_out, on_new_files
from weft.runs.parts import ALL, open_split
from weft.runs.recipe import Recipe
from weft.runs.trained import TrainedModel
from weft.tasks import tasks
from weft.tasks.base import AlarmConfig, SlicedConfig, Task
from weft.tasks.slicing import require_columns

LEADERBOARD = "leaderboard.html"
"""File that `weft fit` writes beside a run."""
METRICS = "metrics"
"""Folder of a run with its results as JSON."""


@dataclass(frozen=True)
class Measurement:
    """A task's result, the measured rows, and the runs: one, or an ensemble.

    missing: results with missing streams, if they were measured (`weft.runs.missing`). split: of the first run's recipe;
    None if other files were measured.
    """

    result: TaskResult
    dataset: Dataset
    runs: Sequence[TrainedModel]
    missing: MissingTable | None = None
    split: str | None = None


def measure(
    runs: Sequence[TrainedModel],
    task: str,
    *,
    data: Path | None = None,
    said: Said = NOTHING_SAID,
    split: str | None = None,
    audited: bool = True,
    slices: Sequence[str] = (),
    leakage: Leakage | None = None,
    workers: int | None = None,
) -> Measurement:
    """Measures task `task` of the first run's recipe on `split` (by default the recipe's test split; "all": every
    row).

    data: other files than those of training; said: the user's declarations about them. Several runs are an ensemble.
    audited: search for the measured rows in the training rows of every run. slices: columns by which errors are
    split, instead of the recipe's. leakage: result of an earlier audit of the same rows. workers: processes that read
    rows for the audit (None: one for each core).
    """
    first = runs[0]
    recipe = first.recipe if data is None else leaving_out(first.recipe)
    settings = task_config(recipe, task)
    if slices:
        settings = sliced(settings, task, slices)
    name, dataset = measured_rows(first, data=data, said=said, split=split, slices=slices)
    own = name if _own_files(first, data) else None
    trained_on = [training_rows(run) for run in runs]
    if audited and leakage is None:
        leakage = _audit(runs, trained_on, dataset, workers)
    held_out = [
        validation_rows(run, own) if isinstance(settings, AlarmConfig) else None for run in runs
    ]
    members = [
        run.member(dataset, rows, validation=held)
        for run, rows, held in zip(runs, trained_on, held_out, strict=True)
    ]
    built = settings.build()
    result: TaskResult = built.evaluate(members, dataset, device=first.device, leakage=leakage)
    protocol = {"split": name, **result.protocol}
    found = TaskResult(**{**vars(result), "protocol": protocol})
    return Measurement(found, dataset, runs, split=own)


def measured_rows(
    run: TrainedModel,
    *,
    data: Path | None = None,
    said: Said = NOTHING_SAID,
    split: str | None = None,
    slices: Sequence[str] = (),
) -> tuple[str, Dataset]:
    """Returns the name of the split that `measure` reads, and its rows. Raises WeftError if they lack a column of
    `slices`."""
    name = split or _test_split(run, data)
    same = data is None and said == NOTHING_SAID
    dataset = open_split(run.recipe if same else on_new_files(run.recipe, data, said), name)
    require_columns(slices, dataset)
    return name, dataset


def _own_files(run: TrainedModel, data: Path | None) -> bool:
    """Whether `data` are the files of the run's recipe; None stands for them."""
    own = run.recipe.data.source.files
    return data is None or (own is not None and own.absolute() == own.replace(path=data).absolute())


def _test_split(run: TrainedModel, data: Path | None) -> str:
    """Returns the recipe's test split. Raises WeftError if the run was trained on all its rows, and no others are
    given."""
    of = run.recipe.data
    if of.test != of.train or data is not None:
        return of.test
    board = run.folder / LEADERBOARD
    if board.exists():
        raise WeftError(
            f"{run.folder}: has no test rows; its scores on rows that it was not trained on are in {board}; "
            f"measure rows of your own (--data), or the rows that it was trained on (--split {of.train})"
        )
    raise WeftError(
        f"{run.folder}: has no test rows; measure rows of your own (--data), or the rows that it was trained "
        f"on (--split {of.train})"
    )


def first_task(run: TrainedModel) -> str:
    """Returns the first task of the run's recipe. If it has none, returns the first task of weft that fits, and logs
    it.

    Raises WeftError if no task fits.
    """
    if run.recipe.tasks:
        return next(iter(run.recipe.tasks))
    fitting = [*fitting_tasks(run.recipe)]
    if not fitting:
        known = ", ".join(tasks())
        raise WeftError(
            f"{run.folder}: its recipe has no task, and none of weft's fits its heads and projections: {known}"
        )
    first = "retrieval" if "retrieval" in fitting else fitting[0]
    others = ", ".join(name for name in fitting if name != first) or "none"
    print(say(f"the recipe has no task: measuring {first} (others that fit, for --task: {others})"))
    return first


def task_config(recipe: Recipe, name: str) -> Config[Task]:
    """Returns the recipe's settings of that task, or the default ones if it has none.

    Raises WeftError if the task does not exist, or the recipe lacks a part that it needs.
    """
    known = {**default_tasks(recipe), **recipe.tasks}
    if name not in known:
        raise unknown_name("task", name, known)
    if name not in recipe.tasks:
        try:
            check_task(recipe, name, known[name])
        except WeftError as error:
            fitting = ", ".join({**recipe.tasks, **fitting_tasks(recipe)}) or "none"
            raise WeftError(
                f"task '{name}' does not fit this run, these do: {fitting} ({error})"
            ) from None
    return known[name]


def sliced(settings: Config[Task], name: str, columns: Sequence[str]) -> Config[Task]:
    """Returns the task with slices by these columns. Raises WeftError if it measures no slices."""
    if not isinstance(settings, SlicedConfig):
        known = ", ".join(n for n, one in tasks().items() if isinstance(one, SlicedConfig))
        raise WeftError(f"task '{name}' gives no errors by slice, these do: {known}")
    return settings.replace(slices=tuple(columns))


def save_result(result: TaskResult, path: Path, against: Against | None = None) -> None:
    """Writes {task, protocol, metrics, baselines, leakage, diagnostics} as JSON, with the differences from another
    run if there are any."""
    found = result.to_json()
    if against is not None:
        found["against"] = against.to_json()
    write_text(path, json.dumps(found, indent=2, ensure_ascii=False) + "\n")


def training_rows(run: TrainedModel) -> Dataset | None:
    """Returns the run's training rows; None if they are not on this machine."""
    try:
        return open_split(run.recipe, run.recipe.data.train)
    except WeftError:
        return None


def validation_rows(run: TrainedModel, measured: str | None = None) -> Dataset | None:
    """Returns the run's validation rows; None if they are not on this machine, were trained on, or belong to the
    measured split."""
    data = run.recipe.data
    used = {data.train, *((measured or "").split("+"))}
    if data.validation in used or ALL in used:
        return None
    try:
        return open_split(run.recipe, data.validation)
    except WeftError:
        return None


def _audit(
    runs: Sequence[TrainedModel],
    trained_on: Sequence[Dataset | None],
    dataset: Dataset,
    workers: int | None,
) -> Leakage | None:
    """Audits against the training rows of all runs; each distinct set of rows once."""
    audits: dict[str, Leakage] = {}
    absent: list[str] = []
    for run, training in zip(runs, trained_on, strict=True):
        described = json.dumps(to_json(run.recipe.data.source), sort_keys=True)
        if training is None:
            absent.append(f"the training rows of {run.folder}, which are not there")
        if training is None or described in audits:
            continue  # without an audit the result says "not audited"
        # Facts about the training rows are kept beside the run, under the name of the data. Rows
        # that have changed since are read again.
        kept = kept_folder(run.folder / "audit") / f"{group_key(described):016x}"
        streams = [n for n, one in run.modalities.items() if kind_of_stream(one) == "text"]
        audits[described] = audit_datasets(
            training, dataset, kept=kept, workers=workers, streams=streams
        )
    if not audits:
        return None
    worst = max(
        audits.values(), key=lambda a: (a.shared, a.suspected, bool(a.not_compared), a.train_rows)
    )
    return replace(worst, not_compared=(*worst.not_compared, *absent))
