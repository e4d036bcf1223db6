"""`weft fit`: from a table or a folder to a leaderboard and a run directory."""

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from weft.core.documents import write_checked
from weft.core.errors import DataError, WeftError
from weft.data.formats import open_dataset
from weft.data.schema import Column, infer, target_column
from weft.data.sources import DataSource, FilesConfig
from weft.data.stamps import stamp
from weft.encoders.frozen import FrozenConfig
from weft.encoders.histograms import HistogramsConfig
from weft.fitting.candidates import Features, candidates, fitted
from weft.fitting.features import Source, compute, reduced
from weft.fitting.folds import make_plan
from weft.fitting.goal import Goal, GoalKind, read_goal
from weft.fitting.keep import keep
from weft.fitting.leaderboard import Leaderboard, leaderboard
from weft.fitting.source import AssignedConfig
from weft.fitting.table import Ints, Table, read_table
from weft.fitting.trials import Setting, run_trials
from weft.modalities.cell import CellConfig
from weft.modalities.image import ImageConfig
from weft.modalities.ngrams import NgramsConfig
from weft.training import distributed

BOARD, SPLITS, TRIALS = "leaderboard.json", "splits.json", "candidates"
USED = ("image", "text", "number", "category", "tags", "date")
STRATA = 5
"""Numbers are divided by these quantiles into as many parts, whose shares the folds keep equal."""


@dataclass(frozen=True)
class FitResult:
    """folder: the run directory of the recommended candidate. left_out: candidates without time."""

    folder: Path
    board: Leaderboard
    left_out: Sequence[str]
    bad: Sequence[DataError]
    notes: Sequence[str]


def fit(
    data: Path | str,
    *,
    target: str,
    minutes: float = 10,
    out: Path | str | None = None,
    task: GoalKind | None = None,
    seed: int = 0,
) -> FitResult:
    """Tries models that predict `target`, and keeps the recommended one as a run in `out`.

    Raises WeftError where the data cannot be used or the column cannot be predicted.
    """
    deadline = time.monotonic() + 60 * minutes
    path = Path(data).absolute()
    folder = Path(out) if out is not None else Path("runs") / f"fit-{path.stem}"
    source = FilesConfig(path)
    bad: list[DataError] = []
    dataset = open_dataset(path, on_error=bad.append)
    schema = infer(dataset)
    print(schema)
    column = target_column(schema, target)
    table, goal = read_goal(read_table(dataset, bad), target, task or _task_of(column))
    strata = _strata(goal)
    plan = make_plan(table, strata, seed=seed)
    known = {name: str(one.kind) for name, one in schema.columns.items() if name != target}
    used = {name: kind for name, kind in known.items() if kind in USED}
    if not used:
        raise WeftError(f"{path}: has no column beside '{target}' that a model can read")
    features = _features(table, used, plan.development, seed)
    tried = candidates(goal, used, [n for n, kind in known.items() if kind == "id"])
    setting = Setting(goal, table.clusters, strata, plan, seed, _stamp(table, goal, seed))
    trials, left_out = run_trials(tried, features, setting, folder / TRIALS, deadline=deadline)
    board = leaderboard(trials, setting)
    board.save(folder / BOARD)
    ids = {s.id: split for s, split in zip(table.samples, plan.splits, strict=True)}
    write_checked(folder / SPLITS, {"splits": ids})
    _keep(folder, board, features, setting, source)
    return FitResult(folder, board, left_out, table.bad, goal.notes)


def _task_of(column: Column) -> GoalKind:
    return "number" if column.kind == "number" else "class"


def _keep(
    folder: Path, board: Leaderboard, features: Features, setting: Setting, source: DataSource
) -> None:
    chosen = board.recommended.candidate
    model = fitted(
        chosen,
        features,
        setting.goal,
        setting.clusters,
        setting.strata,
        setting.plan.final,
        setting.seed,
    )
    splits = set(setting.plan.splits)
    names = {
        "validation": "validation" if "validation" in splits else "train",
        "test": "test" if "test" in splits else "train",
    }
    assigned = AssignedConfig(source, (folder / SPLITS).absolute())
    keep(folder, features.of(chosen), setting.goal, model, assigned, names)


def _features(
    table: Table, used: Mapping[str, str], learn: NDArray[np.intp], seed: int
) -> Features:
    device = distributed.device("auto")
    plain = {
        name: compute(table, name, _source(kind), learn, device=device)
        for name, kind in used.items()
    }
    return Features(plain, {name: reduced(column, learn, seed) for name, column in plain.items()})


def _source(kind: str) -> Source:
    if kind == "image":
        picture = ImageConfig(size=96, fit="squash", crop_scale=None, flip=0.0)
        return Source(picture, FrozenConfig(HistogramsConfig(), tokens=False))
    if kind == "text":
        return Source(NgramsConfig())
    return Source(CellConfig(kind))  # type: ignore[arg-type]


def _strata(goal: Goal) -> Ints:
    if goal.kind == "class":
        return goal.values.astype(np.int64)
    edges = np.quantile(goal.values, np.linspace(0, 1, STRATA + 1)[1:-1])
    return np.searchsorted(edges, goal.values).astype(np.int64)


def _stamp(table: Table, goal: Goal, seed: int) -> str:
    of = [stamp(table, range(len(table))), goal.column, goal.kind, seed]
    return hashlib.blake2b(json.dumps(of).encode(), digest_size=16).hexdigest()
