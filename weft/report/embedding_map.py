"""The map of embeddings: one point for each row, which shows the row on hover, tap or by keyboard.

The points are a group of radio buttons, so the map needs no script, and the arrow keys move between points.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from weft.core.language import say
from weft.core.naming import plain
from weft.core.naming import shown as shown_value
from weft.report import html
from weft.report.axes import COLOURS, colour
from weft.report.displays import figures, words
from weft.report.examples import Rows
from weft.report.html import Html

THUMBNAIL = 56
"""CSS pixels; small, because a page holds many."""
LONGEST = 160
"""Maximum characters of a text beside a point."""
MARGIN = 3.0
"""Margin at each edge, in percent of the map."""
ASPECT = 1.35


@dataclass(frozen=True)
class MapPoint:
    """A row's embedding. stream: of the embedding, empty for one of all streams. group: determines the colour, such
    as the row's class."""

    row: int
    stream: str
    x: float
    y: float
    group: str


@dataclass(frozen=True)
class EmbeddingMap:
    """points: those of a row are adjacent. groups: in the order of their colours. note: how the map was computed."""

    points: Sequence[MapPoint]
    groups: Sequence[str]
    note: str = ""


@dataclass(frozen=True)
class Neighbours:
    """A measured row and the most similar training rows: (row, cosine), the nearest first."""

    row: int
    found: Sequence[tuple[int, float]]


def embedding_map(drawn: EmbeddingMap, rows: Rows, streams: Sequence[str], name: str) -> Html:
    """Draws the map with its legend. streams: shown for each row. name: of this map on its page."""
    shown = list(drawn.groups[: COLOURS - 1])
    rest = len(drawn.groups) > len(shown)
    keys = [
        f'<span><i class="spot" style="background:{colour(n)}"></i>{html.text(say(plain(g)) if g in streams else plain(g))}</span>'
        for n, g in enumerate(shown)
    ]
    if rest:
        keys.append(
            f'<span><i class="spot" style="background:var(--soft)"></i>{say("others")}</span>'
        )
    legend = f'<div class="legend">{"".join(keys)}</div>' if len(drawn.groups) > 1 else ""
    by_row: dict[int, list[MapPoint]] = {}
    for point in drawn.points:
        by_row.setdefault(point.row, []).append(point)
    scale = _Scale(drawn.points)
    parts = [
        _of_row(rows, row, points, streams, shown, scale, name) for row, points in by_row.items()
    ]
    asked = say("Point at, tap, or choose a point with the arrow keys: its row is shown here.")
    hint = f'<p class="hint">{asked}</p>'
    return Html(
        f'{legend}<div class="map"><div class="plot">{"".join(parts)}</div>{hint}</div>'
        f'<p class="note"><small>{html.text(say(drawn.note))}</small></p>'
    )


class _Scale:
    """Positions of points in percent of the map's width."""

    def __init__(self, points: Sequence[MapPoint]) -> None:
        self._x, self._y = [p.x for p in points], [p.y for p in points]

    def place(self, point: MapPoint) -> tuple[float, float]:
        return (
            _percent(point.x, self._x),
            _percent(point.y, self._y) / ASPECT,
        )


def _percent(value: float, values: Sequence[float]) -> float:
    """Averages the value and its rank: large distances mean nothing, and close points stay distinguishable."""
    low, high = min(values), max(values)
    if high == low:
        return 50.0
    below, equal = sum(one < value for one in values), sum(one == value for one in values)
    rank = (below + (equal - 1) / 2) / (len(values) - 1)
    return MARGIN + ((value - low) / (high - low) + rank) / 2 * (100 - 2 * MARGIN)


def _of_row(
    rows: Rows,
    row: int,
    points: Sequence[MapPoint],
    streams: Sequence[str],
    groups: Sequence[str],
    scale: _Scale,
    name: str,
) -> str:
    """Draws the row's points and its card."""
    said, card = row_card(rows, row, streams)
    group = points[0].group
    told = f"<div><small>{html.text(group)}</small></div>" if group not in streams else ""
    buttons = []
    for point in points:
        x, y = scale.place(point)
        tint = colour(groups.index(point.group)) if point.group in groups else "var(--soft)"
        label = escape(": ".join(filter(None, (plain(point.group), said))), quote=True)
        buttons.append(
            f'<input type="radio" name="{name}" aria-label="{label}" '
            f'style="--x:{x:.1f}%;--y:{y:.1f}%;--c:{tint}">'
        )
    return f'{"".join(buttons)}<div class="card">{card}{told}</div>'


def row_card(rows: Rows, row: int, streams: Sequence[str]) -> tuple[str, Html]:
    """Returns the row as text, and its pictures and words in small size."""
    sample = rows.dataset[row]
    displays = []
    for stream in streams:
        displays += rows.all_of(row, stream)[:1]
    pictures = "".join(
        figures(display, "", THUMBNAIL, played=False, wide=1) for display in displays
    )
    said = " · ".join(display.text for display in displays if display.words) or sample.id
    texts = [
        f"<div>{html.text(_short(display.text)) if len(display.text) > LONGEST else words(display)}</div>"
        for display in displays
        if display.words
    ]
    named = sample.id.rpartition("/")[2]
    return _short(said), Html(
        f'<div class="pictures">{pictures}</div>{"".join(texts)}<div><small>{html.text(named)}</small></div>'
    )


def _short(said: str) -> str:
    return said if len(said) <= LONGEST else f"{said[: LONGEST - 1]}…"


def neighbour_rows(
    found: Sequence[Neighbours],
    rows: Rows,
    training: Rows,
    streams: Sequence[str],
    column: str | None = None,
) -> list[Html]:
    """Shows a measured row beside the most similar training rows. column: is also shown."""
    parts = []
    for one in found:
        cards = [(say("measured row"), one.row, rows)]
        cards += [(f"{say('cosine')} {cosine:.2f}", row, training) for row, cosine in one.found]
        cells = [
            f'<div class="card">{row_card(of, row, streams)[1]}{_column(of, row, column)}'
            f"<div><small>{html.text(told)}</small></div></div>"
            for told, row, of in cards
        ]
        parts.append(Html(f'<div class="nearest">{"".join(cells)}</div>'))
    return parts


def _column(rows: Rows, row: int, column: str | None) -> str:
    value = None if column is None else rows.dataset[row].items.get(column)
    return (
        ""
        if value is None
        else f'<div class="answer">{html.text(_short(shown_value(value)))}</div>'
    )
