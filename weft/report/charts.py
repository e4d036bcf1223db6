"""Line, histogram, bar and interval charts as inline SVG, without scripts."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from weft.core.histogram import round_numbers
from weft.core.language import say
from weft.report.axes import (
    BOTTOM,
    HEIGHT,
    RIGHT,
    TOP,
    WIDTH,
    Scale,
    colour,
    dash,
    drawing,
    label_width,
    plane,
    shown,
    span,
    tip,
    x_axis,
    y_axis,
)
from weft.report.html import Html, text

Point = tuple[float, float]

MAX_POINTS = 400  # more than the chart has pixels
MARKED_POINTS = 40  # up to this many points, each gets a dot with its numbers
ROW = 22  # height of a row in a bar or interval chart
THIN = 14  # height of one bar of several
MAX_LABEL = 200.0
MARK = 12  # height of the strip above the curves with the name of a marked position


def line_chart(
    series: Mapping[str, Sequence[Point]],
    title: str,
    x_label: str,
    y_label: str,
    *,
    marked: float | None = None,
    mark: str = "",
) -> Html:
    """Draws one line for each series. Values that are not finite interrupt the line; long series are thinned.

    marked: position on the x axis of a dashed line with the name `mark`.
    """
    thinned = {name: _thin(points) for name, points in series.items()}
    finite = [p for points in thinned.values() for p in points if _finite(p)]
    if not finite:
        return _empty(title)
    xs = span([x for x, _ in finite], slack=0.0)
    if marked is not None:
        xs = min(xs[0], marked), max(xs[1], marked)
    whole = all(float(x).is_integer() for x, _ in finite)
    top = TOP if marked is None else TOP + MARK
    x_scale, y_scale, left = plane(
        xs, span([y for _, y in finite]), y_label, whole_x=whole, top=top
    )
    body = [y_axis(y_scale, left, WIDTH - RIGHT, y_label)]
    body.append(x_axis(x_scale, HEIGHT - BOTTOM, top, x_label))
    for index, (name, points) in enumerate(thinned.items()):
        style = f'fill="none" stroke="{colour(index)}" stroke-width="1.8" stroke-linejoin="round"'
        path = _path(points, x_scale, y_scale)
        body.append(f'<path {style}{dash(index)} d="{path}">{tip(name)}</path>')
        if len(points) <= MARKED_POINTS:
            body += [
                f'<circle cx="{x_scale(x)}" cy="{y_scale(y)}" r="2.4" fill="{colour(index)}">'
                f"{tip(f'{name}: {shown(x)}, {shown(y)}')}</circle>"
                for x, y in filter(_finite, points)
            ]
    if marked is not None:
        x = x_scale(marked)
        anchor = "start" if marked < sum(xs) / 2 else "end"
        body.append(
            f'<path class="chosen" d="M{x} {top}V{HEIGHT - BOTTOM}"/><text class="value" x="{x}" '
            f'y="{TOP + 4}" text-anchor="{anchor}">{text(f"{say(mark)}: {shown(marked)}")}</text>'
        )
    return drawing(title, list(series), "".join(body))


def histogram(
    counts: Mapping[str, Sequence[float]],
    edges: Sequence[float],
    title: str,
    x_label: str,
    y_label: str = "count",
) -> Html:
    """Draws counts between edges, one outline for each series. `weft.core.histogram.bin_values` computes both from
    raw values.

    counts: series -> N counts. edges: N + 1 increasing numbers. Raises ValueError if their lengths disagree.
    """
    for name, heights in counts.items():
        if len(heights) + 1 != len(edges):
            raise ValueError(
                f"series '{name}' has {len(heights)} counts, expected {len(edges) - 1} "
                f"for {len(edges)} edges"
            )
    top = max((height for heights in counts.values() for height in heights), default=0)
    if not top:
        return _empty(title)
    ends, heights_span = (edges[0], edges[-1]), span([0, top], zero=True)
    whole = all(float(height).is_integer() for heights in counts.values() for height in heights)
    whole_x = all(float(edge).is_integer() for edge in edges)
    x_scale, y_scale, left = plane(ends, heights_span, y_label, whole_x=whole_x, whole_y=whole)
    body = [y_axis(y_scale, left, WIDTH - RIGHT, y_label)]
    for index, (name, heights) in enumerate(counts.items()):
        steps = "".join(
            f"V{y_scale(height)}H{x_scale(edge)}"
            for height, edge in zip(heights, edges[1:], strict=True)
        )
        style = f'fill="{colour(index)}" fill-opacity=".22" stroke="{colour(index)}"'
        start = f"M{x_scale(edges[0])} {y_scale(0)}"
        body.append(f'<path {style} stroke-width="1.4" d="{start}{steps}V{y_scale(0)}Z"/>')
        body += [
            f'<rect x="{x_scale(low)}" y="{y_scale(height)}" width="{x_scale(high) - x_scale(low):.2f}" '
            f'height="{y_scale(0) - y_scale(height):.2f}" fill="transparent">'
            f"{tip(f'{name}: {shown(height)} ({shown(low)} – {shown(high)})')}</rect>"
            for height, low, high in zip(heights, edges, edges[1:], strict=False)
            if height
        ]
    body.append(x_axis(x_scale, HEIGHT - BOTTOM, TOP, x_label))
    return drawing(title, list(counts), "".join(body))


def bar_chart(
    rows: Sequence[tuple[str, float]], title: str, x_label: str = "", note: str = ""
) -> Html:
    """Draws a horizontal bar for each row, with its value at the end."""
    return grouped_bars([(name, (value,)) for name, value in rows], [], title, x_label, note)


def grouped_bars(
    rows: Sequence[tuple[str, Sequence[float | None]]],
    series: Sequence[str],
    title: str,
    x_label: str = "",
    note: str = "",
) -> Html:
    """Draws a horizontal bar for each row and series, with its value at the end; none for None."""
    if not rows:
        return _empty(title)
    each = max(len(values) for _, values in rows)
    height = ROW + (each - 1) * THIN
    known = [value for _, values in rows for value in values if value is not None]
    x_scale, bottom, left = _rows_frame(
        [name for name, _ in rows], span(known, zero=True, slack=0.12), height
    )
    body = [x_axis(x_scale, bottom, TOP, x_label, grid=True)]
    zero = x_scale(0)
    for index, (name, values) in enumerate(rows):
        y = TOP + index * height
        body.append(_row_name(name, left, y, height))
        for number, value in enumerate(values):
            if value is None:
                continue
            x, width = min(zero, x_scale(value)), abs(x_scale(value) - zero)
            top, tall = y + 4 + number * THIN, ROW - 8 if each == 1 else THIN - 2
            body.append(
                f'<rect x="{x}" y="{top}" width="{width:.2f}" height="{tall}" rx="2" fill="{colour(number)}"/>'
                f'<text class="value" x="{x + width + 5:.2f}" y="{top + tall / 2 + 4}">{shown(value)}</text>'
            )
    return drawing(title, list(series), "".join(body), bottom + BOTTOM, note)


def interval_chart(
    rows: Sequence[tuple[str, float, float, float]],
    title: str,
    x_label: str = "",
    reference: float | None = None,
    note: str = "",
) -> Html:
    """Draws a dot with its confidence interval for each row.

    rows: (label, value, low, high). reference: position of a dashed line, such as chance.
    """
    marks = [v for _, *numbers in rows for v in numbers] + (
        [] if reference is None else [reference]
    )
    if not any(math.isfinite(mark) for mark in marks):
        return _empty(title)
    x_scale, bottom, left = _rows_frame([row[0] for row in rows], span(marks, slack=0.08))
    body = [x_axis(x_scale, bottom, TOP, x_label, grid=True)]
    if reference is not None:
        body.append(f'<path class="reference" d="M{x_scale(reference)} {TOP}V{bottom}"/>')
    for index, (name, value, low, high) in enumerate(rows):
        y = TOP + index * ROW + ROW / 2
        body.append(_row_name(name, left, y - ROW / 2))
        if not all(math.isfinite(mark) for mark in (value, low, high)):
            continue
        label = tip(f"{name}: {shown(value)} [{shown(low)}, {shown(high)}]")
        body.append(
            f'<g>{label}<path stroke="{colour(0)}" stroke-width="2" '
            f'd="M{x_scale(low)} {y}H{x_scale(high)}M{x_scale(low)} {y - 4}v8M{x_scale(high)} {y - 4}v8"/>'
            f'<circle cx="{x_scale(value)}" cy="{y}" r="4" fill="{colour(0)}"/></g>'
        )
    return drawing(title, [], "".join(body), bottom + BOTTOM, note)


def _rows_frame(
    names: Sequence[str], xs: tuple[float, float], height: float = ROW
) -> tuple[Scale, float, float]:
    left = 12 + min(label_width(names), MAX_LABEL)
    return (
        Scale(*xs, left, WIDTH - RIGHT, round_numbers(*xs, count=5)),
        TOP + len(names) * height,
        left,
    )


def _row_name(name: str, left: float, y: float, height: float = ROW) -> str:
    short = shortened(name, MAX_LABEL)
    return f'<text class="value" x="{left - 8}" y="{y + height / 2 + 4}" text-anchor="end">{text(short)}{tip(name)}</text>'


def shortened(name: str, width: float) -> str:
    """Returns the name, shortened to `width` pixels if necessary."""
    short = name
    while label_width([short]) > width:
        short = short[:-2] + "…"
    return short


def _path(points: Sequence[Point], x_scale: Scale, y_scale: Scale) -> str:
    parts, pen = [], "M"
    for point in points:
        if not _finite(point):
            pen = "M"
            continue
        parts.append(f"{pen}{x_scale(point[0])} {y_scale(point[1])}")
        pen = "L"
    return "".join(parts)


def _thin(points: Sequence[Point]) -> list[Point]:
    """Returns at most MAX_POINTS points: the lowest and the highest of each stretch, so that no spike is lost."""
    if len(points) <= MAX_POINTS:
        return list(points)
    kept: list[Point] = []
    for stretch in np.array_split(np.arange(len(points)), MAX_POINTS // 2):
        low = min(stretch, key=lambda i: points[i][1])
        high = max(stretch, key=lambda i: points[i][1])
        kept += [points[i] for i in sorted({int(low), int(high)})]
    return kept


def _finite(point: Point) -> bool:
    return math.isfinite(point[0]) and math.isfinite(point[1])


def _empty(title: str) -> Html:
    body = f'<text x="{WIDTH / 2}" y="30" text-anchor="middle">{say("no data")}</text>'
    return drawing(title, [], body, 48)
