"""Charts of a task's diagnostics: confused classes, calibration, class counts, slices, residuals."""

from collections.abc import Sequence

from weft.core.language import say
from weft.core.naming import plain
from weft.inference.diagnostics import (
    ClassCounts,
    Confusion,
    Diagnostics,
    Residuals,
    Slices,
    StreamWeight,
)
from weft.report import charts, html
from weft.report.html import Html
from weft.report.squares import confusion_matrix, reliability_diagram, scatter

MOST_BARS = 12


def diagnostic_charts(found: Diagnostics) -> list[Html]:
    """Returns the charts over all rows, the most informative first."""
    parts: list[Html] = []
    if found.confusion is not None:
        parts.append(confusion_matrix(found.confusion, "Confusion matrix"))
    if found.residuals is not None:
        parts.append(scatter(found.residuals, "Predicted and true numbers"))
        parts.append(_errors(found.residuals))
    if found.reliability is not None:
        parts.append(reliability_diagram(found.reliability, "Calibration"))
    if found.class_counts is not None:
        parts.append(_counts(found.class_counts))
    if found.stream_weights:
        parts.append(_stream_weights(found.stream_weights))
    return parts


def slice_charts(found: Diagnostics) -> list[Html]:
    """Returns a chart for each column by which errors are split."""
    return [_slices(one) for one in found.slices]


def confused_pairs(found: Confusion) -> Html:
    """The most frequent errors as a table."""
    rows: list[list[html.Cell]] = [[pair.right, pair.predicted, pair.rows] for pair in found.pairs]
    return html.table(["true class", "predicted", "rows"], rows, caption="Most frequent errors")


def _counts(found: ClassCounts) -> Html:
    shown = found.counts[:MOST_BARS]
    trained = any(one.training is not None for one in shown)
    rows = [
        (one.name, (one.training, one.measured) if trained else (one.measured,)) for one in shown
    ]
    note = f"The {len(shown)} most frequent of {found.classes} classes." * (
        found.classes > len(shown)
    )
    series = ["training rows", "measured rows"] if trained else []
    return charts.grouped_bars(rows, series, "Rows of each class", "rows", note)


def _stream_weights(found: Sequence[StreamWeight]) -> Html:
    rows = [
        (say(plain(one.stream)), one.percent.value, one.percent.low, one.percent.high)
        for one in found
    ]
    axis = say("percent, mean over the recognised words")
    return charts.interval_chart(rows, "Weight of each stream", axis)


def _slices(found: Slices) -> Html:
    metric = found.slices[0].score.metric if found.slices else None
    rows = [
        (f"{one.value} ({one.rows:,})", one.score.value, one.score.low, one.score.high)
        for one in found.slices
    ]
    column = plain(found.column)
    said = say(f"{metric.words} by the values of {column}") if metric else column
    return charts.interval_chart(
        rows,
        said[:1].upper() + said[1:],
        metric.axis if metric else "",
        note="Points with 95% intervals; in brackets the number of rows.",
    )


def _errors(found: Residuals) -> Html:
    middle = [((one.low + one.high) / 2, one) for one in found.bins]
    series = {
        "mean error (predicted − right)": [(x, one.bias) for x, one in middle],
        "mean absolute error": [(x, one.absolute) for x, one in middle],
    }
    return charts.line_chart(
        series, "Errors by predicted number", "predicted", found.unit or "error"
    )
