"""A page that compares several systems: numbers, differences, curves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from weft.core.language import say
from weft.evaluation.bootstrap import Estimate
from weft.evaluation.comparison import Comparison
from weft.evaluation.metric import Metric, Score
from weft.inference.wording import baseline_words
from weft.report import charts, html
from weft.report.records import LogLine
from weft.report.summary import BETTER, amount, amount_of, listed, strongest, verdict


@dataclass(frozen=True)
class System:
    """A system's numbers. log: lines of its first run's log. difference: to the best system."""

    name: str
    estimate: Estimate
    by_seed: Sequence[float]
    parameters: int
    steps: int
    seconds: float | None
    difference: Comparison | None = None
    log: Sequence[LogLine] = ()


@dataclass(frozen=True)
class ComparisonReport:
    """The content of the page. systems: the best first. baselines: name -> value. facts: details of the procedure.
    correction: how the intervals account for the choice of the best."""

    title: str
    task: str
    metric: Metric
    systems: Sequence[System]
    baselines: Mapping[str, float] = field(default_factory=dict)
    facts: Mapping[str, html.Cell] = field(default_factory=dict)
    correction: str = ""


DIFFERENT = "All others are clearly different from the best on these rows."
HEADER = (
    *("system", "value", "95% interval", "to the best", "95% interval", "p"),
    *("by seed", "parameters", "steps", "seconds"),
)


def render(report: ComparisonReport) -> str:
    """The page as HTML."""
    metric = report.metric
    chart = charts.interval_chart(
        [(s.name, s.estimate.value, s.estimate.low, s.estimate.high) for s in report.systems],
        f"{metric.words}, with 95% intervals",
        metric.axis,
        min(report.baselines.values(), key=metric.best_first, default=None),
    )
    facts: list[list[html.Cell]] = [
        [say(name), say(value) if isinstance(value, str) else value]
        for name, value in report.facts.items()
    ]
    baselines = html.table(
        ["baseline", "value"],
        [[say(baseline_words(n)), metric.shown(v)] for n, v in report.baselines.items()],
    )
    sections = [
        _lead(report),
        html.section(
            "Scores",
            html.row(chart, *([baselines] if report.baselines else [])),
            html.table(HEADER, [row(system, metric) for system in report.systems]),
            html.paragraph(
                "Differences are paired: each row of the split is answered by both systems, and whole "
                "groups of rows are resampled. Several seeds are averaged row by row. "
                + report.correction
            ),
        ),
        *_curves(report),
        html.section("How it was done", html.table(["", "value"], facts)),
    ]
    return html.page(report.title, sections)


def _lead(report: ComparisonReport) -> html.Html:
    """States what was compared, which system is the best, and the cautions."""
    metric, best = report.metric, report.systems[0]
    names = listed([system.name for system in report.systems])
    value = f"{say(metric.words)} {amount(Score(metric, best.estimate))}"
    good = f"{best.name} is the best: {value} ({best.estimate.words(metric.digits)})."
    found = _against_baseline(report)
    if found is not None:
        judged, name, value_of = found
        good += f" It is {judged} the strongest baseline, {name}: {value_of}."
    careful = cautions(report)
    budget = report.facts.get("budget of a run")
    what = f"{names}, by {metric.words}" + (f", after {budget} each." if budget else ".")
    return html.lead(
        [
            ("What was compared", what, False),
            ("Which is best", good, False),
            ("Be careful", " ".join(careful) or DIFFERENT, bool(careful)),
        ]
    )


def cautions(report: ComparisonReport) -> list[str]:
    """Says if the best system is not better than the strongest baseline, and which systems may be as good as it."""
    said, others = [], report.systems[1:]
    ties = [one.name for one in others if one.difference is None or not one.difference.clear]
    found = _against_baseline(report)
    if found is not None and found[0] != BETTER:
        said.append(f"Even the best system is {found[0]} the strongest baseline, {found[1]}.")
    if ties:
        are = "is" if len(ties) == 1 else "are"
        said.append(f"{listed(ties)} {are} not clearly different from the best on these rows.")
    return said


def _against_baseline(report: ComparisonReport) -> tuple[str, str, str] | None:
    """The verdict on the best system, and the strongest baseline with its value, in words; None without baselines."""
    metric, best = report.metric, report.systems[0]
    found = strongest({n: {"": v} for n, v in report.baselines.items()}, "", metric)
    if found is None:
        return None
    judged = verdict(Score(metric, best.estimate), found[1])
    return judged, baseline_words(found[0]), amount_of(metric, found[1])


def row(system: System, metric: Metric) -> list[html.Cell]:
    """Returns a system's row for the table with HEADER."""
    digits = metric.digits
    difference: list[html.Cell] = ["", "", ""]
    if system.difference is not None:
        d = system.difference.difference
        difference = [
            f"{d.value:.{digits}f}",
            d.interval(digits),
            "< 0.001" if system.difference.p_value < 0.001 else f"{system.difference.p_value:.3f}",
        ]
    return [
        system.name,
        metric.shown(system.estimate.value),
        system.estimate.interval(digits),
        *difference,
        " ".join(map(metric.shown, system.by_seed)),
        f"{system.parameters:,}",
        f"{system.steps:,}",
        "–" if system.seconds is None else f"{system.seconds:.0f}",
    ]


def _curves(report: ComparisonReport) -> list[html.Html]:
    """Draws the validation metric and the loss of every system's first run by step."""
    parts = []
    measured = f"validation/{report.task}/{report.metric.name}"
    for title, name, unit in (
        (
            f"{report.metric.words} on the validation split while training",
            measured,
            report.metric.axis,
        ),
        ("Training loss", "loss", "loss"),
    ):
        series = {
            system.name: [
                (float(line["step"] or 0), float(value))
                for line in system.log
                if (value := line.get(name)) is not None
            ]
            for system in report.systems
        }
        if any(series.values()):
            parts.append(charts.line_chart(series, title, "step", unit))
    return [html.section("Training", html.row(*parts))] if parts else []
