"""A run's report: one self-contained page with what was measured, shown and done.

The page is a pure function of a `RunReport`.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from weft.core.documents import parse_json
from weft.core.errors import WeftError
from weft.core.files import write_text
from weft.core.interfaces import Modality
from weft.core.records import ACCURACY
from weft.data.formats import Dataset
from weft.data.prepare.report import DataReport
from weft.evaluation.leakage import Leakage
from weft.evaluation.metric import Metric, Score, same_unit
from weft.inference.results import Queries, TaskResult
from weft.report import charts, html
from weft.report.card import card_sections
from weft.report.examples import Rows, example_sections
from weft.report.explanations import Explained
from weft.report.predictions import prediction_sections

RANK_BINS = ((1, 1), (2, 5), (6, 10), (11, 50), (51, 100), (101, 500), (501, None))

VALIDATION = "validation/"
"""Stands in the log before what validation measured."""

LogLine = Mapping[str, float | None]


@dataclass(frozen=True)
class Measured:
    """One evaluation: what it came to, the rows from which examples are shown, and what shows them.

    modalities: stream -> its modality. explained: number of a prediction -> what it rests on. missing:
    why none is explained, or nothing.
    """

    title: str
    result: TaskResult
    dataset: Dataset
    modalities: Mapping[str, Modality] = field(default_factory=dict)
    explained: Mapping[int, Explained] = field(default_factory=dict)
    missing: str = ""


@dataclass(frozen=True)
class RunReport:
    """Everything that the page shows.

    recipe: the whole recipe as JSON values. log: lines of log.jsonl (see `read_log`). card: of the
    data. facts: what else should be known, such as seed, versions, seconds, parameters. validation: what
    the log's validation numbers are, TASK/METRIC.
    """

    name: str
    recipe: Mapping[str, Any]
    measured: Sequence[Measured]
    log: Sequence[LogLine] = ()
    card: DataReport | None = None
    facts: Mapping[str, html.Cell] = field(default_factory=dict)
    validation: Sequence[Metric] = ()


def write_report(report: RunReport, path: Path | str) -> Path:
    """Writes the page to `path`, atomically; returns the path."""
    path = Path(path)
    write_text(path, render(report))
    return path


def read_log(folder: Path | str) -> list[dict[str, float | None]]:
    """The lines of a run's log.jsonl; what is unfinished or no number is left out."""
    path = Path(folder) / "log.jsonl"
    if not path.exists():
        return []
    lines: list[dict[str, float | None]] = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            values = parse_json(line, str(path))
        except WeftError:
            continue
        if isinstance(values, dict) and _is_number(values.get("step")):
            lines.append({k: v for k, v in values.items() if v is None or _is_number(v)})
    return lines


def _is_number(value: object) -> bool:
    """A finite number, as the log holds them: none is beyond what a float can hold."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return abs(value) < sys.float_info.max


def render(report: RunReport) -> str:
    """The page as HTML."""
    sections: list[str] = []
    for measured in report.measured:
        sections.append(_scores(measured, alone=len(report.measured) == 1))
    if report.log:
        sections.append(_training(report))
    for measured in report.measured:
        rows = Rows(measured.dataset, measured.modalities)
        sections += example_sections(measured.result, rows)
        sections += prediction_sections(measured.result, rows, measured.explained, measured.missing)
    sections.append(_data(report))
    sections.append(_recipe(report))
    subtitle = " · ".join(f"{m.title}: {_sizes(m.result)}" for m in report.measured)
    return html.page(report.name, sections, subtitle)


def _sizes(result: TaskResult) -> str:
    """The protocol's counts in words."""
    protocol = result.protocol
    counts = [
        f"{value:,} {name}"
        for name, value in protocol.items()
        if isinstance(value, int) and value and not name.startswith(("models", "left"))
    ]
    split = [f"split {protocol['split']}"] if "split" in protocol else []
    return ", ".join([*split, *counts])


def _scores(measured: Measured, alone: bool) -> html.Html:
    result = measured.result
    parts: list[str] = [_leakage_notice(result.leakage)]
    parts.append(html.tiles({_headline(result, n): s.shown for n, s in _headlines(result)}))
    for axis, scores in same_unit(result.metrics.values()).items():
        if len(scores) > 1:
            rows = [(s.metric.words, s.value, s.low, s.high) for s in scores]
            parts.append(charts.interval_chart(rows, "Scores, with 95% intervals", axis))
    parts += [_rank_chart(way, found) for way, found in result.queries.items()]
    parts.append(_numbers(result))
    parts.append(html.details("Protocol", _protocol(result)))
    return html.section("Scores" if alone else f"Scores: {measured.title}", *parts)


def _headlines(result: TaskResult) -> list[tuple[str, Score]]:
    return [(name, score) for name, score in result.metrics.items() if score.metric.headline]


def _headline(result: TaskResult, name: str) -> str:
    score = result.metrics[name]
    chance = result.baselines.get("chance", {}).get(name)
    beside = "" if chance is None else f"; chance {score.metric.shown(chance)}"
    return f"{score.metric.words}, {score.metric.axis} ({score.interval}{beside})"


def _words(name: str) -> str:
    """`image_to_text/recall@1` as people say it."""
    return name.replace("_", " ").replace("/", ", ")


def _leakage_notice(leakage: Leakage | None) -> html.Html:
    if leakage is None:
        return html.notice("Leakage from training was not audited.", warning=True)
    verdict = leakage.verdict[0].upper() + leakage.verdict[1:]
    return html.notice(f"{verdict}: {'; '.join(leakage.lines())}.", warning=not leakage.clean)


def _numbers(result: TaskResult) -> html.Html:
    baselines = list(result.baselines.values())
    rows: list[list[html.Cell]] = [
        [
            score.metric.words,
            score.shown,
            score.interval,
            score.metric.axis,
            *(score.metric.shown(b[name]) if name in b else None for b in baselines),
        ]
        for name, score in result.metrics.items()
    ]
    return html.table(["metric", "value", "95% interval", "unit", *result.baselines], rows)


def _protocol(result: TaskResult) -> html.Html:
    rows: list[list[html.Cell]] = [[_words(k), v] for k, v in result.protocol.items()]
    return html.table(["", "value"], rows)


def _rank_chart(way: str, queries: Queries) -> html.Html:
    """In which stretch the best right answer ranks, in percent of the queries."""
    bars = []
    for low, high in RANK_BINS:
        inside = (queries.rank >= low) & (queries.rank <= (high or queries.rank.max()))
        name = str(low) if low == high else f"{low} – {high}" if high else f"> {low - 1}"
        bars.append((name, 100 * float(inside.double().mean())))
    while bars and bars[-1][1] == 0:
        bars.pop()
    return charts.bar_chart(bars, f"Rank of the right answer, {_words(way)}", "percent of queries")


def _training(report: RunReport) -> html.Html:
    """Curves of the losses, of what is right in the training batch, and of what validation measures."""
    log = report.log
    names = list(dict.fromkeys(name for line in log for name in line if name != "step"))
    own = [name for name in names if not name.startswith(VALIDATION)]
    losses = [name for name in own if name.rpartition("/")[2] == "loss"]
    if len(losses) == 2:  # a loss of one term is that term
        losses = losses[:1]
    shares = [name for name in own if name.rpartition("/")[2] == ACCURACY]
    charted = [
        (losses, "Training loss and its terms", "loss"),
        (shares, "Right in the training batch", "share"),
        *(
            (shown, f"Validation, {axis}", axis)
            for axis, shown in _validated(names, report.validation).items()
        ),
    ]
    parts = [
        charts.line_chart(_series(log, shown), title, "step", unit)
        for shown, title, unit in charted
        if shown
    ]
    return html.section("Training", *parts)


def _validated(names: Sequence[str], measured: Sequence[Metric]) -> dict[str, list[str]]:
    """Axis -> the names in the log of headlines that share it."""
    found: dict[str, list[str]] = {}
    for metric in measured:
        name = f"{VALIDATION}{metric.name}"
        if metric.headline and name in names:
            found.setdefault(metric.axis, []).append(name)
    return found


def _series(log: Sequence[LogLine], names: Sequence[str]) -> dict[str, list[tuple[float, float]]]:
    series: dict[str, list[tuple[float, float]]] = {_words(name): [] for name in names}
    for line in log:
        step = line["step"]
        for name in names:
            value = line.get(name)
            if value is not None and step is not None:
                series[_words(name)].append((float(step), float(value)))
    return series


def _data(report: RunReport) -> html.Html:
    parts: list[str] = []
    for measured in report.measured:
        leakage = measured.result.leakage
        if leakage is not None:
            parts.append(html.heading(f"{measured.title} against training"))
            parts.append(_leakage_table(leakage))
    if report.card is None:
        parts.append(html.paragraph("No data card was made (weft data check)."))
    else:
        parts.append(html.details("Data card", *card_sections(report.card)))
    return html.section("Data and leakage", *parts)


def _leakage_table(leakage: Leakage) -> html.Html:
    findings = leakage.findings()
    rows: list[list[html.Cell]] = [
        [what, found.found, found.total] for what, found in findings.items()
    ]
    pairs = [[what, *pair] for what, found in findings.items() for pair in found.examples]
    table = html.table(["also in training", "found", "of"], rows)
    if not pairs:
        return table
    header = ["what", "evaluated", "training"]
    return html.join(table, html.details("Some of them", html.table(header, pairs)))


def _recipe(report: RunReport) -> html.Html:
    facts: list[list[html.Cell]] = [[name, value] for name, value in report.facts.items()]
    text = json.dumps(report.recipe, indent=2, ensure_ascii=False)
    parts = [html.table(["", "value"], facts)] if facts else []
    return html.section("Recipe", *parts, html.details("The whole recipe", html.code(text)))
