"""`weft fit`: from a table or a folder to a leaderboard and a run directory."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from weft.core.documents import write_checked
from weft.core.errors import WeftError
from weft.core.files import write_text
from weft.data.schema import Column as SchemaColumn
from weft.data.schema import target_column
from weft.evaluation.metric import Metric, Score, mean_score
from weft.fitting.alarms import alarms
from weft.fitting.budget import KEPT, part, rows_in_time, said_of_part
from weft.fitting.candidates import Features, candidates
from weft.fitting.choice import source_of
from weft.fitting.features import compute, reduced, side_by_side
from weft.fitting.folds import LEFT_OUT, Rows, make_plan
from weft.fitting.goal import Goal, read_goal
from weft.fitting.importance import importance
from weft.fitting.keep import keep
from weft.fitting.leaderboard import Leaderboard, leaderboard
from weft.fitting.means import is_long, said_of_means
from weft.fitting.models import Floats
from weft.fitting.opening import Opened, require_rows, usable
from weft.fitting.page import write_page
from weft.fitting.result import BOARD, PAGE, SPLITS, TRIALS, FitResult, held
from weft.fitting.scores import row_scores, threshold_of
from weft.fitting.settings import FitSettings, GoalKind
from weft.fitting.source import AssignedConfig
from weft.fitting.stamps import stamp_of
from weft.fitting.table import Ints, Table
from weft.fitting.trained import Shared, can_be_tuned
from weft.fitting.trained_recipe import keep_trained
from weft.fitting.trials import Setting, Trial, run_trials, runs_folder
from weft.fitting.wide import KEPT as COLUMNS
from weft.fitting.wide import columns_in_time, said_of_columns, said_of_worth
from weft.runs.parts import load_recipe
from weft.runs.thresholds import write_thresholds
from weft.training import distributed

EXPLAINING = 0.2
"""Extra time for the importance of columns, as a share of the time limit."""
STRATA = 5
"""Number of quantile ranges of a numeric target. All folds have the same share of each."""


def fit(opened: Opened, target: str, folder: Path, settings: FitSettings) -> FitResult:
    """Tries models that predict `target`, and keeps the recommended one as a run in `folder`.

    Raises WeftError if the column cannot be predicted, or no column is left to predict it from.
    """
    deadline = time.monotonic() + 60 * settings.minutes
    require_rows(opened.table)
    column = target_column(opened.schema, target)
    used = usable(opened.schema, target, settings.without)
    table, goal = read_goal(opened.table, target, settings.task or _task_of(column), settings.merge)
    with held(folder, target):
        return _fitted(opened, goal, table, used, folder, settings, deadline)


def _fitted(
    opened: Opened,
    goal: Goal,
    table: Table,
    used: dict[str, str],
    folder: Path,
    settings: FitSettings,
    deadline: float,
) -> FitResult:
    """`fit` on the rows `table`, which have the target. used: column -> its kind, for columns that a model may read."""
    schema, seed = opened.schema, settings.seed
    count = rows_in_time(table, used, settings, folder / TRIALS / KEPT, deadline=deadline)
    table, goal = _part(table, goal, count, seed)
    known, place = len(used), folder / TRIALS / COLUMNS
    used = columns_in_time(table, used, settings, place, deadline=deadline)
    if len(used) < known:
        goal = replace(goal, notes=(said_of_columns(len(used), known), *goal.notes))
    strata = _strata(goal)
    plan = make_plan(table, strata, seed=seed, folds=settings.folds)
    features = _features(table, used, plan.development, settings)
    if schema.id is not None:
        table = table.with_ids(schema.id)
    names = (*schema.of("id"), *filter(None, [schema.id]))
    named = [name for name in names if name not in (goal.column, *settings.without)]
    tried = candidates(
        goal, used, named, networks=settings.networks, fine_tuned=can_be_tuned(settings)
    )
    features = _with_names(features, table, named, plan.development)
    whole = side_by_side([features.plain[name] for name in used])
    means = is_long(whole, goal, 60 * settings.minutes / len(plan.folds))
    if means:
        goal = replace(goal, notes=(said_of_means(len(goal.classes)), *goal.notes))
    stamp = stamp_of(table, used, settings, goal.column, goal.kind, means)
    setting = Setting(goal, table.clusters, strata, plan, seed, stamp, means)
    shared = Shared(opened.source, schema, table, table.clusters, strata, features.plain, settings)
    trials, left_out = run_trials(
        tried, features, setting, folder / TRIALS, shared, deadline=deadline
    )
    return _finished(folder, opened, features, setting, shared, trials, left_out)


def _finished(
    folder: Path,
    opened: Opened,
    features: Features,
    setting: Setting,
    shared: Shared,
    trials: Sequence[Trial],
    left_out: Sequence[str],
) -> FitResult:
    """Compares the trials, saves the recommended one as a run, and writes the results."""
    board = leaderboard(trials, setting)
    chosen = next(t for t in trials if t.candidate == board.recommended.candidate)
    test = _keep(folder, chosen, board.metric, features, setting, shared)
    _keep_threshold(folder, chosen, setting)
    explained = _explained(board, trials)
    until = time.monotonic() + EXPLAINING * 60 * shared.settings.minutes
    important = importance(explained, features, setting, board.metric, deadline=until)
    columns = explained.candidate.columns
    notes = setting.goal.notes
    if len(important) < len(columns):
        notes = (*notes, said_of_worth(len(important), len(columns)))
    found = FitResult(
        folder,
        board,
        test,
        alarms(trials, setting),
        notes,
        important,
        explained.candidate.name,
        left_out,
        shared.table.bad,
    )
    values = {
        **board.to_json(),
        "test": None if test is None else test.to_json(),
        "alarms": list(found.alarms),
        "notes": list(found.notes),
        "importance": {
            "of": found.explained,
            "columns": [one.to_json() for one in important],
        },
        "not_tried": list(left_out),
        "rows_left_out": [str(error) for error in found.bad],
    }
    write_text(folder / BOARD, json.dumps(values, indent=2, ensure_ascii=False) + "\n")
    write_page(folder / PAGE, found, opened.schema)
    return found


def _explained(board: Leaderboard, trials: Sequence[Trial]) -> Trial:
    """The trial whose columns are explained: the best among the models on features that read the most columns."""
    of = {trial.candidate.name: trial for trial in trials if not trial.candidate.is_trained}
    most = max(len(trial.candidate.columns) for trial in of.values())
    names = [entry.candidate.name for entry in board.entries if entry.candidate.role == "compared"]
    return next(of[n] for n in names if n in of and len(of[n].candidate.columns) == most)


def _keep(
    folder: Path,
    chosen: Trial,
    metric: Metric,
    features: Features,
    setting: Setting,
    shared: Shared,
) -> Score | None:
    """Fits the chosen candidate on all rows except the test rows and saves it as a run. Returns its test score."""
    goal, plan, candidate = setting.goal, setting.plan, chosen.candidate
    splits = {name: name if name in plan.splits else "train" for name in ("validation", "test")}
    samples = zip(shared.table.samples, plan.splits, strict=True)
    rows = {s.id: p for s, p in samples if p != LEFT_OUT}
    write_checked(folder / SPLITS, {"splits": rows, "notes": list(goal.notes)})
    source = AssignedConfig(shared.source, (folder / SPLITS).absolute())
    if candidate.is_trained:
        recipe = shared.of(candidate, goal)
        runs = runs_folder(candidate, folder / TRIALS, setting.stamp)
        run = runs / "fold-0"
        if len(plan.folds) > 1:
            run = recipe.trained(plan.final, chosen.steps, runs / "final")
        keep_trained(run, folder, source, splits)
        if plan.test is None:
            return None
        return _tested(recipe.outputs(run, plan.test), metric, setting)
    model = setting.fitted(candidate, features, plan.final)
    columns = features.of(candidate)
    keep(folder, columns, goal, model, source, splits)
    if plan.test is None:
        return None
    return _tested(model.outputs(side_by_side(columns)[plan.test]), metric, setting)


def _keep_threshold(folder: Path, chosen: Trial, setting: Setting) -> None:
    """Saves the threshold for tags, chosen on all comparison rows."""
    if setting.goal.kind == "tags":
        right = setting.goal.values[setting.plan.held] > 0.5
        (target,) = load_recipe(folder).data.targets
        write_thresholds({target: threshold_of(chosen.outputs, right)}, folder)


def _tested(outputs: Floats, metric: Metric, setting: Setting) -> Score:
    """The score on the test rows."""
    goal, rows = setting.goal, setting.plan.test
    scores = row_scores(outputs, goal.values[rows], goal)
    return mean_score(metric, metric.scale * scores, setting.clusters[rows])


def _features(
    table: Table, used: Mapping[str, str], learn: Rows, settings: FitSettings
) -> Features:
    device = distributed.device("auto")
    plain = {
        name: compute(table, name, source_of(kind, settings), learn, device=device)
        for name, kind in used.items()
    }
    few = {name: reduced(column, learn, settings.seed) for name, column in plain.items()}
    return Features(plain, few)


def _with_names(features: Features, table: Table, named: Sequence[str], learn: Rows) -> Features:
    """Adds columns that name rows: as numbers if they are numbers, otherwise as texts."""
    device = distributed.device("auto")
    found = {}
    for name in named:
        kind = "number" if _are_numbers(table, name) else "text"
        found[name] = compute(table, name, source_of(kind, FitSettings()), learn, device=device)
    return Features({**features.plain, **found}, features.reduced)


def _are_numbers(table: Table, name: str) -> bool:
    try:
        return all(float(v) is not None for v in table.values(name) if v is not None)
    except (TypeError, ValueError):
        return False


def _task_of(column: SchemaColumn) -> GoalKind:
    """The kind of target for the column. Raises WeftError unless it holds classes, numbers or tags."""
    if column.kind in ("number", "tags"):
        return "number" if column.kind == "number" else "tags"
    if column.kind in ("category", "id"):
        return "class"
    if column.notes:
        raise WeftError(
            f"target '{column.name}' is of kind {column.kind}: {'; '.join(column.notes)}"
        )
    raise WeftError(
        f"target '{column.name}' is of kind {column.kind} ({column.why}), expected a category, a number or tags; "
        f"if it is one, say so: --columns category={column.name}"
    )


def _part(table: Table, goal: Goal, count: int, seed: int) -> tuple[Table, Goal]:
    """Samples `count` of the rows. Returns them and their goal, with a note about it."""
    rows = part(table, _strata(goal), count, seed)
    if rows is None:
        return table, goal
    notes = (said_of_part(len(rows), len(table)), *goal.notes)
    return table.take(rows.tolist()), replace(goal, values=goal.values[rows], notes=notes)


def _strata(goal: Goal) -> Ints:
    if goal.kind == "class":
        return goal.values.astype(np.int64)
    if goal.kind == "tags":  # the rarest tag of each row
        rarity = goal.values / np.maximum(goal.counts(), 1)
        return np.where(rarity.any(axis=1), rarity.argmax(axis=1), -1).astype(np.int64)
    edges = np.quantile(goal.values, np.linspace(0, 1, STRATA + 1)[1:-1])
    return np.searchsorted(edges, goal.values).astype(np.int64)
