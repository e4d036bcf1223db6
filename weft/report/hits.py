"""The page of search results: the query, and each entry with its picture or words."""

from collections.abc import Sequence
from dataclasses import dataclass

from weft.core.display import Display
from weft.report import html
from weft.report.displays import figures, words

WIDTH = 200


@dataclass(frozen=True)
class Found:
    """An entry: its score, id and place, and its display if it could be read."""

    score: float
    id: str
    source: str
    display: Display | None


def hits_page(title: str, query: Display, found: Sequence[Found]) -> str:
    """The whole page, best first."""
    entries = [_entry(one) for one in found]
    return html.page(
        title,
        [
            html.section("Query", _shown(query, "")),
            html.section("Found, the best first", html.grid(entries, width=WIDTH)),
        ],
    )


def _entry(one: Found) -> html.Html:
    caption = f"{one.score:.3f}  {one.id}"
    if one.display is None:
        return html.join(html.paragraph(caption), html.paragraph(one.source))
    return _shown(one.display, caption)


def _shown(display: Display, caption: str) -> html.Html:
    if display.drawn:
        return figures(display, caption, WIDTH)
    return html.join(html.Html(f"<p>{words(display)}</p>"), html.paragraph(caption))
