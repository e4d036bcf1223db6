"""Confusion matrix, reliability diagram and scatter plot as inline SVG, without scripts."""

import math
from collections.abc import Sequence

from weft.core.histogram import round_numbers
from weft.core.language import say
from weft.inference.diagnostics import Confusion, Reliability, Residuals
from weft.report.axes import (
    BOTTOM,
    TOP,
    WIDTH,
    Scale,
    colour,
    drawing,
    label_width,
    shown,
    span,
    tip,
    x_axis,
    y_axis,
)
from weft.report.charts import shortened
from weft.report.html import Html, text
from weft.report.summary import amount

SIDE = 330  # of a plot with equal axes
LEFT = 64
LABEL = 120.0
LARGEST_CELL, NUMBERED_CELL = 46.0, 21.0


def confusion_matrix(found: Confusion, title: str) -> Html:
    """Draws the matrix. The strength of a cell is its share of the row: of the rows with that right class."""
    labels = [shortened(label, LABEL) for label in found.labels]
    left = 26 + label_width(labels)
    # Labels at 45 degrees, above the matrix and beyond its last column.
    slanted = label_width(labels) * 0.72 + 8
    cell = min(LARGEST_CELL, (WIDTH - left - slanted) / max(1, len(labels)))
    top = 22 + slanted
    body = []
    for row, (label, counts) in enumerate(zip(labels, found.counts, strict=True)):
        y = top + row * cell
        full = text(found.labels[row])
        body.append(
            f'<text class="value" x="{left - 6:.1f}" y="{y + cell / 2 + 4:.1f}" text-anchor="end">'
            f"{text(label)}{tip(full)}</text>"
        )
        body += [_cell(found, row, n, left + n * cell, y, cell) for n in range(len(counts))]
    for column, label in enumerate(labels):
        x = left + (column + 0.5) * cell
        body.append(
            f'<text class="value" transform="translate({x:.1f} {top - 6:.1f}) rotate(-45)">{text(label)}</text>'
        )
    side = len(labels) * cell
    body.append(
        f'<text x="{left:.1f}" y="10">{say("predicted")} →</text>'
        f'<text transform="translate(12 {top + side / 2:.1f}) rotate(-90)" text-anchor="middle">{say("true class")}</text>'
    )
    note = say(
        "Each cell counts rows of the data. The stronger the colour, the larger the cell's share of its matrix row; "
        "right answers are framed."
    )
    if not found.whole:
        note += " " + say(f"{len(labels)} of {found.classes} classes: those with the most errors.")
    return drawing(title, [], "".join(body), top + side + 8, note)


def _cell(found: Confusion, row: int, column: int, x: float, y: float, side: float) -> str:
    count, total = found.counts[row][column], sum(found.counts[row])
    share = count / total if total else 0.0
    said = say(f"{found.labels[row]} predicted as {found.labels[column]}: {count:,} of {total:,}")
    frame = (
        f'<rect class="right" x="{x + 1:.1f}" y="{y + 1:.1f}" width="{side - 2:.1f}" height="{side - 2:.1f}"/>'
        if row == column
        else ""
    )
    number = ""
    if count and side >= NUMBERED_CELL:
        number = (
            f'<text class="{"on" if share > 0.55 else "value"}" x="{x + side / 2:.1f}" '
            f'y="{y + side / 2 + 4:.1f}" text-anchor="middle">{count}</text>'
        )
    return (
        f'<g>{tip(said)}<rect class="cell" x="{x:.1f}" y="{y:.1f}" width="{side:.1f}" height="{side:.1f}" '
        f'fill-opacity="{0.04 + 0.96 * share:.3f}"/>{frame}{number}</g>'
    )


def reliability_diagram(found: Reliability, title: str) -> Html:
    """Draws the share of right predictions by predicted probability. On the diagonal both are equal."""
    body, x_scale, y_scale = _square((0.0, 100.0), "probability given, %", "share right, %")
    most = max((one.count for one in found.bins), default=1)
    for one in found.bins:
        low, high = x_scale(100 * one.low), x_scale(100 * one.high)
        y = y_scale(100 * one.accuracy)
        said = say(
            f"{one.count:,} predictions, mean probability {100 * one.confidence:.1f} %, "
            f"right {100 * one.accuracy:.1f} %"
        )
        body.append(
            f'<g>{tip(said)}<rect x="{low + 1:.1f}" y="{y}" width="{max(high - low - 2, 1):.1f}" '
            f'height="{y_scale(0) - y:.1f}" fill="{colour(0)}" '
            f'fill-opacity="{0.15 + 0.5 * one.count / most:.2f}"/>'
            f'<circle cx="{x_scale(100 * one.confidence)}" cy="{y}" r="4" fill="{colour(0)}"/></g>'
        )
    body.append(_diagonal(x_scale, y_scale))
    ece = found.ece
    interval = f" ({words})" if (words := ece.interval_words) else ""
    note = say(
        f"Calibration for {found.of}. Bars below the dashed line: the model is overconfident. Darker bars hold more "
        f"predictions. Expected calibration error: {amount(ece)}{interval}."
    )
    return drawing(title, [], "".join(body), SIDE + TOP + BOTTOM, note)


def scatter(found: Residuals, title: str) -> Html:
    """Draws predicted against right numbers. On the diagonal both are equal."""
    points = [p for p in found.points if all(map(math.isfinite, p))]
    ends = span([value for point in points for value in point])
    unit = f", {found.unit}" if found.unit else ""
    body, x_scale, y_scale = _square(ends, f"{say('right')}{unit}", f"{say('predicted')}{unit}")
    body.append(_diagonal(x_scale, y_scale))
    body += [
        f'<circle cx="{x_scale(right)}" cy="{y_scale(said)}" r="3" fill="{colour(0)}" fill-opacity=".6">'
        f"{tip(say(f'right {shown(right)}, predicted {shown(said)}'))}</circle>"
        for right, said in points
    ]
    note = "A random sample of the rows. On the dashed line the prediction is right."
    return drawing(title, [], "".join(body), SIDE + TOP + BOTTOM, note)


def _square(
    ends: tuple[float, float], x_label: str, y_label: str
) -> tuple[list[str], Scale, Scale]:
    """Axes with the same numbers on both."""
    ticks: Sequence[float] = round_numbers(*ends, count=5)
    x_scale = Scale(*ends, LEFT, LEFT + SIDE, tuple(ticks))
    y_scale = Scale(*ends, TOP + SIDE, TOP, tuple(ticks))
    axes = [y_axis(y_scale, LEFT, LEFT + SIDE, y_label), x_axis(x_scale, TOP + SIDE, TOP, x_label)]
    return axes, x_scale, y_scale


def _diagonal(x_scale: Scale, y_scale: Scale) -> str:
    low, high = x_scale.low, x_scale.high
    return f'<path class="reference" d="M{x_scale(low)} {y_scale(low)}L{x_scale(high)} {y_scale(high)}"/>'
