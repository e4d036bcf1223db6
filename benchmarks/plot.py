"""The plot of the benchmarks' page: an SVG, written by hand."""

import html
import math
from collections.abc import Sequence
from itertools import groupby

from benchmarks.measure import Comparison, Measured

LOWEST, HIGHEST = 0.5, 200
"""Ends of the axis."""
LEFT, WIDTH, RIGHT = 400, 480, 110
STEP, HEAD, TOP = 20, 24, 50
MARKS = (0.5, 1, 2, 5, 10, 20, 50, 100)
REACHED, MISSED, GRID = "#0072b2", "#d55e00", "#999"


def plot(measured: Sequence[Measured]) -> str:
    """How many times better than the peer, on a logarithmic axis, with quartiles and aims.

    One row a quantity: a full dot on one core, a hollow one on several.
    """
    rows = [m for m in measured if m.comparison.ratio and m.comparison.kind != "value"]
    body: list[str] = []
    y = TOP
    for line, of_line in groupby(rows, key=lambda row: row.line):
        y += HEAD
        body.append(_text(10, y - 7, line, 'font-weight="bold"'))
        quantities: dict[str, list[Measured]] = {}
        for row in of_line:
            quantities.setdefault(row.comparison.what, []).append(row)
        for what, sides in quantities.items():
            body += _quantity(what, sides, y + STEP / 2)
            y += STEP
    height = y + 36
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + RIGHT} {height}" '
        'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="#fff"/>'
        + "".join([*_axis(y), *body])
        + "</svg>\n"
    )


def _axis(bottom: float) -> list[str]:
    said = "times better than the peer (log scale)"
    key = "full: one core, hollow: all; bar: quartiles; tick: what is aimed at"
    parts = [_text(LEFT, 16, said), _text(LEFT, 32, key, 'fill="#555"')]
    for mark in MARKS:
        dash = "" if mark == 1 else ' stroke-dasharray="2 4"'
        parts.append(f'<path d="M{_x(mark)} {TOP - 8}V{bottom + 6}" stroke="{GRID}"{dash}/>')
        parts.append(_text(_x(mark), bottom + 22, f"{mark:g}", 'text-anchor="middle"'))
    return parts


def _quantity(what: str, sides: Sequence[Measured], y: float) -> list[str]:
    parts = [_text(LEFT - 10, y + 4, what, 'text-anchor="end"')]
    several = len(sides) > 1
    said = []
    for place, side in enumerate(sides):
        found, at = side.comparison, y + (place * 8 - 4 if several else 0)
        low, middle, high = (_better(found, v or 0.0) for v in (found.low, found.ratio, found.high))
        colour = MISSED if found.reached is False else REACHED
        fill = colour if side.cores == 1 else "#fff"
        parts.append(f'<path d="M{_x(low)} {at}H{_x(high)}" stroke="{colour}" stroke-width="2"/>')
        parts.append(
            f'<circle cx="{_x(middle)}" cy="{at}" r="3.5" fill="{fill}" stroke="{colour}" '
            'stroke-width="1.5"/>'
        )
        said.append(f"{middle:.3g}" if middle < 100 else f"{middle:.0f}")
        aim = found.at_least if found.at_most is None else found.at_most
        if aim is not None and place == 0:
            tick = _x(_better(found, aim))
            parts.append(f'<path d="M{tick} {y - 9}V{y + 9}" stroke="#000" stroke-width="2"/>')
    return [*parts, _text(LEFT + WIDTH + 12, y + 4, " / ".join(said))]


def _better(found: Comparison, value: float) -> float:
    """Of what is to be small, a share of the peer's, how many times less it is."""
    return value if found.kind == "faster" else 1 / max(value, 1e-3)


def _x(times: float) -> float:
    share = math.log(min(max(times, LOWEST), HIGHEST) / LOWEST) / math.log(HIGHEST / LOWEST)
    return round(LEFT + share * WIDTH, 1)


def _text(x: float, y: float, said: str, rest: str = "") -> str:
    return f'<text x="{x}" y="{y}" {rest}>{html.escape(said)}</text>'
