"""A run's report: its measurements, curves, examples, data and recipe on one page."""

import platform
from collections.abc import Sequence
from pathlib import Path

import torch

from weft import __version__
from weft.core.config import to_json
from weft.data.prepare.report import DataReport
from weft.report.html import Cell
from weft.report.run import Measured, RunReport, read_log, write_report
from weft.runs.explaining import explain_predictions
from weft.runs.measure import Measurement
from weft.runs.recipe import validation_metrics
from weft.runs.run import Run

REPORT = "report.html"


def report(
    run: Run,
    measurements: Sequence[tuple[str, Measurement]],
    *,
    name: str,
    card: DataReport | None = None,
    path: Path | None = None,
) -> Path:
    """Writes the page to `path` (RUN/report.html if not given) and returns the path.

    measurements: (title, what was measured), the most important first.
    """
    page = RunReport(
        name=name,
        recipe=to_json(run.recipe),
        measured=[_measured(title, found) for title, found in measurements],
        log=read_log(run.folder),
        card=card,
        facts=_facts(run),
        validation=validation_metrics(run.recipe),
    )
    return write_report(page, path or run.folder / REPORT)


def _measured(title: str, found: Measurement) -> Measured:
    explanations = explain_predictions(found.runs, found.result, found.dataset)
    return Measured(
        title,
        found.result,
        found.dataset,
        found.runs[0].modalities,
        explanations.explained,
        explanations.missing,
    )


def _facts(run: Run) -> dict[str, Cell]:
    trained = sum(p.numel() for p in run.model.parameters() if p.requires_grad)
    every = sum(p.numel() for p in run.model.parameters())
    return {
        "parameters": f"{every:,}, of which {trained:,} are trained",
        "seed": run.recipe.run.seed,
        "weft": __version__,
        "torch": str(torch.__version__),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "torch threads": torch.get_num_threads(),
        "device": str(run.device),
    }
