"""Writes a run's report: its results, curves, examples, data and recipe on one page."""

import logging
import platform
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from weft.core.config import to_json
from weft.core.documents import read_mapping
from weft.core.errors import WeftError
from weft.core.version import version
from weft.data.few_rows import warn_of_few
from weft.data.prepare.check import check
from weft.data.prepare.report import DataReport
from weft.inference.missing_table import path_beside
from weft.inference.wording import task_words
from weft.report.html import Cell
from weft.report.records import (
    Averaged,
    Measured,
    RunRecord,
    RunReport,
    chosen_step,
    read_log,
)
from weft.report.run import write_report
from weft.runs.drawing_progress import animation, strip
from weft.runs.explaining import explain_predictions
from weft.runs.mapping import SEARCHED, embedding_map, nearest, target_column
from weft.runs.measure import METRICS, Measurement, measure, save_result, training_rows
from weft.runs.missing import belongs_to, measure_missing
from weft.runs.recipe import validation_metrics
from weft.runs.trained import TrainedModel

REPORT = "report.html"
CURVE = "average.json"
"""The file of a run directory with the curve of `weft average`."""
log = logging.getLogger("weft.runs")


def report(
    run: TrainedModel,
    measurements: Sequence[tuple[str, Measurement]],
    *,
    name: str,
    card: DataReport | None = None,
    path: Path | None = None,
) -> Path:
    """Writes the page to `path` (by default RUN/report.html) and returns the path.

    measurements: (title, measurement), the most important first.
    """
    runs = {found.folder: found for found in (run, *(r for _, m in measurements for r in m.runs))}
    rows = {r.folder: _rows(m) for _, m in measurements for r in m.runs}
    page = RunReport(
        name=name,
        runs=[_record(one, rows.get(folder)) for folder, one in runs.items()],
        measured=_all_measured(measurements),
        card=card,
    )
    return write_report(page, path or run.folder / REPORT)


def report_of(
    run: TrainedModel,
    *,
    data: Path | None,
    split: str | None,
    card: bool,
    missing: bool,
    path: Path | None,
) -> Path:
    """Writes the report of all tasks of the run's recipe and returns its path.

    Results on the recipe's own rows are saved in RUN/metrics, unless `path` is another place. card: include the data
    card of the measured rows. missing: include each task's results with missing streams, also where they are
    no part of every result (`belongs_to`).
    """
    found: list[tuple[str, Measurement]] = []
    of = run.recipe.data
    if split is None and data is None and of.test == of.train:
        split = of.train
        log.warning(
            f"{run.folder}: has no test rows, so the report measures the rows that it was trained on, and its "
            "scores say little about new rows; measure rows of your own (--data)"
        )
    for task in run.recipe.tasks:
        one = measure([run], task, data=data, split=split)
        name = one.result.protocol["split"]
        if missing or belongs_to(one, task):
            one = replace(one, missing=measure_missing(one, task))
        if data is None and path is None:
            place = run.folder / METRICS / f"{task}-{name}.json"
            save_result(one.result, place)
            if one.missing is not None:
                one.missing.save(path_beside(place))
        found.append((f"{task_words(task)}, {name} split", one))
    for name, dataset in {m.result.protocol["split"]: m.dataset for _, m in found}.items():
        warn_of_few(name, dataset)
    checked = None
    if card and found:
        first = found[0][1]
        checked = check(first.dataset, name=str(first.result.protocol["split"]))
    return report(run, found, name=_name(run), card=checked, path=path)


def _all_measured(measurements: Sequence[tuple[str, Measurement]]) -> list[Measured]:
    """Embeddings are shown only once for each head of a run, since they are the same on any rows."""
    mapped: set[tuple[Path, str | None]] = set()
    found = []
    for title, one in measurements:
        space = one.runs[0].folder, one.result.head
        found.append(_measured(title, one, mapped=space not in mapped))
        mapped.add(space)
    return found


def _measured(title: str, found: Measurement, *, mapped: bool) -> Measured:
    """mapped: with a map of the embeddings, and the nearest training rows."""
    first = found.runs[0]
    task = next(
        (n for n, t in first.recipe.tasks.items() if t.build().name == found.result.task), None
    )
    training = training_rows(first) if mapped else None
    explanations = explain_predictions(found.runs, found.result, found.dataset)
    return Measured(
        title,
        found.result,
        found.dataset,
        first.modalities,
        explanations.explained,
        explanations.missing,
        embedding_map(first, found.result, found.dataset) if mapped else None,
        [] if training is None else nearest(first, found.result, found.dataset, training),
        training,
        min(SEARCHED, len(training or ())),
        target_column(first, found.result.head),
        found.missing,
        strip(first, found.result, found.dataset),
        None if task is None else animation(first.folder, task),
    )


def _rows(found: Measurement) -> int | None:
    """Returns the number of training rows with which the measured ones were compared."""
    leakage = found.result.leakage
    return None if leakage is None or len(found.runs) > 1 else leakage.train_rows


def _record(run: TrainedModel, rows: int | None) -> RunRecord:
    recipe, log = run.recipe, read_log(run.folder)
    metrics = validation_metrics(recipe)
    return RunRecord(
        name=_name(run),
        recipe=to_json(recipe),
        streams=tuple(run.modalities),
        data=recipe.data.source.words,
        rows=rows,
        log=log,
        validation=metrics,
        chosen=chosen_step(log, recipe.run.monitor, metrics),
        steps=None if recipe.run.epochs else recipe.run.steps,
        facts=_facts(run),
        averaged=_averaged(run.folder),
        notes=recipe.data.source.notes,
    )


def _averaged(folder: Path) -> Averaged | None:
    """Reads the file of `weft average`; None if it does not exist or holds anything else."""
    if not (folder / CURVE).exists():
        return None
    try:
        values = read_mapping(folder / CURVE)
        points = [(float(one["alpha"]), float(one["value"])) for one in values["curve"]]
        return Averaged(str(values["metric"]), float(values["alpha"]), points)
    except (WeftError, KeyError, TypeError, ValueError) as error:
        log.warning("%s: its curve is not shown: %s", folder / CURVE, error)
        return None


def _name(run: TrainedModel) -> str:
    return run.folder.resolve().name


def _facts(run: TrainedModel) -> dict[str, Cell]:
    trained = sum(p.numel() for p in run.model.parameters() if p.requires_grad)
    every = sum(p.numel() for p in run.model.parameters())
    share = "all trained" if trained == every else f"{trained:,} trained"
    return {
        "parameters": f"{every:,}, {share}",
        "seed": run.recipe.run.seed,
        "weft": version(),
        "torch": str(torch.__version__),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "torch threads": torch.get_num_threads(),
        "device": str(run.device),
    }
