"""`weft fit --pair`: retrieval models that find a row's value in one column by its value in the other."""

import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from weft.core.documents import write_checked
from weft.core.files import write_text
from weft.evaluation.metric import Score, mean_score
from weft.fitting.budget import KEPT, part, rows_in_time, said_of_part
from weft.fitting.candidates import Candidate
from weft.fitting.correlation import Maps
from weft.fitting.folds import LEFT_OUT
from weft.fitting.leaderboard import ranked
from weft.fitting.opening import Opened, require_rows
from weft.fitting.page import write_page
from weft.fitting.pairs import Pairs, kinds_of, read_pairs, with_both
from weft.fitting.projections import linear_maps, mapped, save_linear
from weft.fitting.recall import (
    LINEAR,
    RECALL_1,
    RECALL_10,
    chance,
    measure_vectors,
    partners_found,
)
from weft.fitting.result import BOARD, PAGE, PAIRED, SPLITS, TRIALS, FitResult, held
from weft.fitting.settings import FitSettings
from weft.fitting.source import AssignedConfig
from weft.fitting.trained_pair import TrainedPair, trained_pairs
from weft.fitting.trained_recipe import keep_trained


def fit_pair(
    opened: Opened, pair: tuple[str, str], folder: Path, settings: FitSettings
) -> FitResult:
    """Tries retrieval models in both directions, and keeps the recommended one as a run in `folder`.

    Raises WeftError if the columns do not exist or cannot be searched.
    """
    deadline = time.monotonic() + 60 * settings.minutes
    kinds = kinds_of(opened, pair)
    table = with_both(opened.table, pair)
    require_rows(table)
    with held(folder, PAIRED.join(pair)):
        count = rows_in_time(table, kinds, settings, folder / TRIALS / KEPT, deadline=deadline)
        rows = part(table, np.zeros(len(table), dtype=np.int64), count, settings.seed)
        notes = () if rows is None else (said_of_part(len(rows), len(table)),)
        used = table if rows is None else table.take(rows.tolist())
        pairs = read_pairs(used, kinds, opened.source, settings)
        return _fitted(opened, pairs, notes, folder, settings, deadline)


def _fitted(
    opened: Opened,
    pairs: Pairs,
    notes: Sequence[str],
    folder: Path,
    settings: FitSettings,
    deadline: float,
) -> FitResult:
    """`fit_pair` on these pairs. notes: sentences for the user about the rows."""
    measured = [chance(pairs)]
    left_out: list[str] = []
    began = time.monotonic()
    linear = [linear_maps(pairs, fold.train) for fold in pairs.plan.folds]
    measured.append(
        measure_vectors(
            pairs,
            Candidate(LINEAR, "linear", pairs.names),
            [mapped(pairs, maps) for maps in linear],
            time.monotonic() - began,
        )
    )
    recipes = trained_pairs(pairs, opened.schema, settings) if settings.networks else []
    for number, recipe in enumerate(recipes):
        left = deadline - time.monotonic()
        trial = recipe.measured(folder, time.monotonic() + left / (len(recipes) - number))
        if trial is None:
            left_out.append(recipe.candidate.name)
        else:
            measured.append(trial)
    board = ranked(
        PAIRED.join(pairs.names),
        (RECALL_10, RECALL_1),
        pairs.plan.said,
        measured,
        pairs.table.clusters[pairs.plan.held],
    )
    chosen = board.recommended.candidate
    kept = next((one for one in recipes if one.candidate == chosen), None)
    test = _keep(pairs, kept, folder, linear, notes)
    found = FitResult(
        folder,
        board,
        test,
        (),
        notes,
        (),
        board.recommended.candidate.name,
        left_out,
        pairs.table.bad,
    )
    values = {
        **board.to_json(),
        "test": None if test is None else test.to_json(),
        "notes": list(notes),
        "not_tried": left_out,
        "rows_left_out": [str(error) for error in pairs.table.bad],
    }
    write_text(folder / BOARD, json.dumps(values, indent=2, ensure_ascii=False) + "\n")
    write_page(folder / PAGE, found, opened.schema)
    return found


def _keep(
    pairs: Pairs,
    recipe: TrainedPair | None,
    folder: Path,
    linear: Sequence[Maps],
    notes: Sequence[str],
) -> Score | None:
    """Saves the recommended candidate as a run. Returns its recall on the test rows. recipe: None for linear maps."""
    plan = pairs.plan
    names = zip(pairs.table.samples, plan.splits, strict=True)
    rows = {s.id: p for s, p in names if p != LEFT_OUT}
    write_checked(folder / SPLITS, {"splits": rows, "notes": list(notes)})
    source = AssignedConfig(pairs.source, (folder / SPLITS).absolute())
    splits = {name: name if name in plan.splits else "train" for name in ("validation", "test")}
    if recipe is not None:
        run = recipe.final(folder)
        keep_trained(run, folder, source, splits)
    else:
        maps = linear[0] if len(plan.folds) == 1 else linear_maps(pairs, plan.final)
        save_linear(pairs, maps, folder, source, splits)
    if plan.test is None:
        return None
    vectors = mapped(pairs, maps) if recipe is None else recipe.vectors(run, plan.test)
    hits = RECALL_10.scale * partners_found(pairs, vectors, plan.test)[0]
    return mean_score(RECALL_10, hits, pairs.table.clusters[plan.test])
