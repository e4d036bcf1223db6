"""The frame of a chart: scales, round tick marks, grid lines and labels, as SVG."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from weft.core.histogram import round_numbers
from weft.core.language import say
from weft.report.html import Html, format_cell, text

WIDTH, HEIGHT = 480, 260
TOP, RIGHT, BOTTOM = 10, 14, 40
CHARACTER = 6.8  # width of an average glyph at the 12.5 px of charts on a narrow screen
WIDE = 1.35  # relative width of a capital or an m
COLOURS = 6


@dataclass(frozen=True)
class Scale:
    """Maps data in [low, high] linearly onto pixels [start, end]; `ticks` are round values within."""

    low: float
    high: float
    start: float
    end: float
    ticks: tuple[float, ...]

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 2)


def span(
    values: Sequence[float], *, zero: bool = False, slack: float = 0.04
) -> tuple[float, float]:
    """Returns the lowest and highest finite value with a margin; from zero if `zero` is set."""
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return 0.0, 1.0
    low, high = min(finite), max(finite)
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    air = (high - low) * slack if high > low else abs(high) * 0.1 or 1.0
    return (low if zero and low == 0 else low - air), (high if zero and high == 0 else high + air)


def tick_label(value: float, marks: Sequence[float]) -> str:
    """Formats a tick's number with as many decimals as the step between the ticks needs."""
    step = min((abs(b - a) for a, b in itertools.pairwise(marks)), default=abs(value))
    largest = max((abs(mark) for mark in marks), default=0.0)
    if largest and (largest < 1e-3 or largest >= 1e7):
        return f"{value:g}" if value else "0"
    decimals = max(0, -math.floor(math.log10(step) + 1e-9)) if step else 0
    return f"{value:,.{decimals}f}"


def label_width(labels: Sequence[str]) -> float:
    """Returns the width of the widest label in pixels; wide (Chinese, Japanese, Korean) characters count double."""
    return CHARACTER * max((sum(map(_glyph, label)) for label in labels), default=0)


def _glyph(character: str) -> float:
    if ord(character) > 0x2E7F:
        return 2
    return WIDE if character.isupper() or character in "mw%@" else 1


def x_axis(scale: Scale, bottom: float, top: float, label: str, *, grid: bool = False) -> str:
    """Draws the tick marks, numbers and name of a horizontal axis at `bottom`."""
    parts = []
    for mark in scale.ticks:
        x = scale(mark)
        if grid:
            parts.append(f'<path class="gridline" d="M{x} {top}V{bottom}"/>')
        parts.append(f'<path class="axis" d="M{x} {bottom}v4"/>')
        shown = text(tick_label(mark, scale.ticks))
        parts.append(f'<text x="{x}" y="{bottom + 16}" text-anchor="middle">{shown}</text>')
    parts.append(f'<path class="axis" d="M{scale.start} {bottom}H{scale.end}"/>')
    middle = (scale.start + scale.end) / 2
    parts.append(
        f'<text x="{middle}" y="{bottom + 34}" text-anchor="middle">{text(say(label))}</text>'
    )
    return "".join(parts)


def y_axis(scale: Scale, left: float, right: float, label: str) -> str:
    """Draws the grid lines, numbers and name of a vertical axis."""
    parts = []
    for mark in scale.ticks:
        y = scale(mark)
        parts.append(f'<path class="gridline" d="M{left} {y}H{right}"/>')
        shown = text(tick_label(mark, scale.ticks))
        parts.append(f'<text x="{left - 6}" y="{y + 4}" text-anchor="end">{shown}</text>')
    middle = (scale.start + scale.end) / 2
    parts.append(
        f'<text transform="translate(11 {middle}) rotate(-90)" text-anchor="middle">{text(say(label))}</text>'
    )
    return "".join(parts)


def plane(
    xs: tuple[float, float],
    ys: tuple[float, float],
    y_label: str,
    *,
    whole_x: bool = False,
    whole_y: bool = False,
    top: float = TOP,
) -> tuple[Scale, Scale, float]:
    """Returns the scales of an ordinary chart, and its left margin, which fits the numbers on the y axis.

    whole_x, whole_y: the values are whole numbers (steps, counts), and so are the ticks. top: upper end of the y
    axis.
    """
    y_ticks = round_numbers(*ys, count=5, whole=whole_y)
    left = 10 + label_width([tick_label(mark, y_ticks) for mark in y_ticks])
    left += 16 if y_label else 0
    x_scale = Scale(*xs, left, WIDTH - RIGHT, round_numbers(*xs, count=6, whole=whole_x))
    return x_scale, Scale(*ys, HEIGHT - BOTTOM, top, y_ticks), left


def drawing(
    title: str, names: Sequence[str], body: str, height: float = HEIGHT, note: str = ""
) -> Html:
    """Returns the SVG with its title and, for several series, a legend. note: below the chart."""
    keys = "".join(
        f'<span><i style="background:{colour(i)}"></i>{text(say(name))}</span>'
        for i, name in enumerate(names)
    )
    legend = f'<div class="legend">{keys}</div>' if len(names) > 1 else ""
    below = f'<figcaption class="note">{text(say(note))}</figcaption>' if note else ""
    return Html(
        f'<figure class="chart"><figcaption>{text(say(title))}</figcaption>{legend}'
        f'<svg viewBox="0 0 {WIDTH} {height:g}" role="img" aria-label="{text(say(title))}">{body}</svg>{below}</figure>'
    )


def colour(index: int) -> str:
    """Returns the colour of a series (Okabe and Ito's palette, which colour-blind readers can distinguish)."""
    return f"var(--s{index % COLOURS})"


def dash(index: int) -> str:
    """Returns the dash pattern of a series; it differs for series beyond the length of the palette."""
    turn = index // COLOURS
    return f' stroke-dasharray="{6 / turn:g} 3"' if turn else ""


def tip(content: str) -> str:
    """Returns the tooltip of a mark."""
    return f"<title>{text(content)}</title>"


def shown(value: float) -> str:
    """Formats a value for charts: whole numbers without decimals."""
    return format_cell(int(value)) if float(value).is_integer() else format_cell(value)
