"""Training curves of a run, and its cost."""

from collections.abc import Sequence

from weft.core.language import say
from weft.core.naming import plain
from weft.core.records import ACCURACY
from weft.evaluation.metric import Metric
from weft.report import charts, html
from weft.report.html import Html
from weft.report.records import VALIDATION, Averaged, LogLine, RunRecord, RunReport

COST = ("run", "steps", "chosen step", "time", "memory", "rows a second", "parameters", "device")
"""Columns of the table. Columns without data are left out."""


def training_section(report: RunReport) -> list[html.Section]:
    """Shows curves and cost of the first run, those of other runs folded, and the choice of averaged weights."""
    parts = [_averaging(run, run.averaged) for run in report.runs if run.averaged is not None]
    runs = [run for run in report.runs if run.log]
    if runs:
        first, *others = runs
        parts += [curves(first), cost(runs)]
        parts += [html.details(f"Curves of {run.name}", curves(run)) for run in others]
    return [html.section("Training", *parts)] if parts else []


def _averaging(run: RunRecord, found: Averaged) -> Html:
    """Draws a metric on the validation split by the share of the fine-tuned weights, with both ends and the chosen
    one."""
    ends = {"as it started": 0.0, "fine-tuned": 1.0}
    series = {say(plain(found.metric)): list(found.points)}
    series |= {
        name: [point for point in found.points if point[0] == alpha] for name, alpha in ends.items()
    }
    known = (metric.called(found.metric) for metric in run.validation)
    axis = next((metric.axis for metric in known if metric is not None), found.metric)
    return html.row(
        charts.line_chart(
            {name: points for name, points in series.items() if points},
            f"Averaged weights on the validation split, {axis}",
            "share of the fine-tuned weights",
            axis,
            marked=found.alpha,
            mark="chosen",
        )
    )


def curves(run: RunRecord) -> Html:
    """Draws validation metrics, losses and training accuracy by step, with the chosen step marked."""
    names = list(dict.fromkeys(name for line in run.log for name in line if name != "step"))
    own = [name for name in names if not name.startswith(VALIDATION)]
    losses = [name for name in own if name.rpartition("/")[2] == "loss"]
    if len(losses) == 2:  # a loss with only one term equals that term
        losses = losses[:1]
    shares = [name for name in own if name.rpartition("/")[2] == ACCURACY]
    charted = [
        *(
            (shown, f"On the validation split, {axis}", axis)
            for axis, shown in _validated(names, run.validation).items()
        ),
        (losses, "Training loss" if len(losses) == 1 else "Training loss and its terms", "loss"),
        (shares, "Accuracy in the training batch", "share"),
    ]
    marked = run.chosen if run.evaluations else None
    return html.row(
        *(
            charts.line_chart(
                _series(run.log, shown), title, "step", unit, marked=marked, mark="chosen"
            )
            for shown, title, unit in charted
            if any(len(points) > 1 for points in _series(run.log, shown).values())
        )
    )


def cost(runs: Sequence[RunRecord]) -> Html:
    """Shows the cost of each run: time, memory, speed."""
    rows: list[list[html.Cell]] = [
        [
            run.name,
            run.trained,
            run.chosen,
            _seconds(run.last.get("seconds")),
            _bytes(run.last.get("peak_memory")),
            _rate(run.last.get("samples_per_second")),
            html.said(run.facts.get("parameters")),
            run.facts.get("device"),
        ]
        for run in runs
    ]
    known = [n for n in range(len(COST)) if any(row[n] is not None for row in rows)]
    return html.table(
        [COST[n] for n in known],
        [[row[n] for n in known] for row in rows],
        caption="What training cost",
    )


def _seconds(value: float | None) -> str | None:
    if value is None:
        return None
    minutes, seconds = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def _bytes(value: float | None) -> str | None:
    return None if value is None else f"{value / 2**20:,.0f} MiB"


def _rate(value: float | None) -> str | None:
    return None if value is None else f"{value:,.0f}"


def _validated(names: Sequence[str], measured: Sequence[Metric]) -> dict[str, list[str]]:
    """Returns axis -> names of headline metrics in the log that can share it."""
    found: dict[str, list[str]] = {}
    for metric in measured:
        name = f"{VALIDATION}{metric.name}"
        if metric.headline and name in names:
            found.setdefault(metric.axis, []).append(name)
    return found


def _series(log: Sequence[LogLine], names: Sequence[str]) -> dict[str, list[tuple[float, float]]]:
    said = {name: say(plain(name.removeprefix(VALIDATION))) for name in names}
    series: dict[str, list[tuple[float, float]]] = {said[name]: [] for name in names}
    for line in log:
        step = line["step"]
        for name in names:
            value = line.get(name)
            if value is not None and step is not None:
                series[said[name]].append((float(step), float(value)))
    return series
