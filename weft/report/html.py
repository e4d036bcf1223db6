"""Building blocks of every report: one self-contained HTML file without scripts or network.

Each block returns `Html`. A plain `str` is text and is always escaped; only `Html` passes as it is,
so a caption or a file name can never become markup.
"""

import base64
import html
import io
import math
import re
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image

from weft.core.errors import WeftError
from weft.core.language import language, say
from weft.core.media import Media
from weft.core.text import words
from weft.modalities.image_decoding import read_image
from weft.report.style import STYLE

SMALL_PIXELS = 96  # drawn pictures up to this side stay lossless, since JPEG would blur them ...
LARGEST_PNG = 3000  # ... unless a texture makes them as large as a photograph
FINE_QUALITY = 88
JPEG_QUALITY = 72
MOST_PIXELS = 100_000_000
NARROW_COLUMNS = 3  # number of columns that fit on a phone
NUMBER = re.compile(
    r"[-+−±]?[\d.,]+(e[-+]?\d+)?\s?(%|ms|s|MB|KB|GB|x|px)?|–|nan|inf", re.IGNORECASE
)

Cell = str | int | float | None


class Html(str):
    """Markup that is already escaped."""


class Section(Html):
    """A section with its name and the kinds of its content, for the page's table of contents."""

    label: str
    content: Html


def text(value: object) -> Html:
    """`value` escaped, unless it is Html already."""
    return value if isinstance(value, Html) else Html(html.escape(str(value)))


def _said(value: str) -> Html:
    """Translates a sentence or name into the reader's language and escapes it. Html, such as text(value), is
    unchanged."""
    return value if isinstance(value, Html) else text(say(value))


def said(value: Cell) -> Cell:
    """Translates a cell that is a sentence or name into the reader's language; any other cell is unchanged."""
    return _said(value) if isinstance(value, str) else value


def join(*parts: str) -> Html:
    """Concatenates the parts; plain strings become escaped text."""
    return Html("\n".join(text(part) for part in parts))


def page(title: str, sections: Sequence[str], subtitle: str = "") -> str:
    """A whole document. Below the title it lists the sections made by `section`, each with its own link."""
    listed = [part for part in sections if isinstance(part, Section)]
    anchors = _anchors([part.label for part in listed])
    links = "".join(
        f'<a href="#{anchor}">{_said(part.label)}</a>'
        for part, anchor in zip(listed, anchors, strict=True)
    )
    contents = f'<nav aria-label="{say("Contents")}">{links}</nav>' if len(listed) > 3 else ""
    below = f'<p class="subtitle">{_said(subtitle)}</p>' if subtitle else ""
    named = iter(anchors)
    body = join(
        *(
            _section(part.content, f' id="{next(named)}"') if isinstance(part, Section) else part
            for part in sections
        )
    )
    return (
        f'<!doctype html>\n<html lang="{language()}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{_said(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"<header><h1>{_said(title)}</h1>{below}{contents}</header>\n{body}\n"
        f"<footer>{say('Made with Weft.')}</footer>\n</main>\n</body>\n</html>\n"
    )


def _anchors(labels: Sequence[str]) -> list[Html]:
    """Returns an id for each label, all different."""
    found: dict[Html, None] = {}
    for label in labels:
        base = text("-".join(words(label.lower())) or "section")
        number = 1
        anchor = base
        while anchor in found:
            number += 1
            anchor = Html(f"{base}-{number}")
        found[anchor] = None
    return list(found)


def section(title: str, *parts: str) -> Section:
    """A titled part of the page. Only top-level sections have a link."""
    content = Html(f"<h2>{_said(title)}</h2>\n{join(*parts)}")
    made = Section(_section(content))
    made.label, made.content = title, content
    return made


def _section(content: Html, attributes: str = "") -> Html:
    return Html(f"<section{attributes}>{content}\n</section>")


def lead(sentences: Sequence[tuple[str, str, bool]]) -> Html:
    """The summary at the top: (name, sentence, whether it is a warning), one below the other."""
    shown = "".join(
        f"<div{' class=warn' if warning else ''}><dt>{_said(name)}</dt><dd>{_said(sentence)}</dd></div>"
        for name, sentence, warning in sentences
    )
    return Html(f'<dl class="lead">{shown}</dl>')


def heading(title: str) -> Html:
    """A heading inside a section."""
    return Html(f"<h3>{_said(title)}</h3>")


def paragraph(content: str) -> Html:
    return Html(f"<p>{_said(content)}</p>")


def notice(content: str, *, warning: bool = False) -> Html:
    """One highlighted sentence: good news, or a warning."""
    kind = "notice warn" if warning else "notice"
    return Html(f'<div class="{kind}">{_said(content)}</div>')


def code(content: str) -> Html:
    """Text in a fixed-width font."""
    return Html(f"<pre>{text(content)}</pre>")


def details(summary: str, *parts: str, unfolded: bool = False) -> Html:
    """Parts that are folded until the reader opens them."""
    state = " open" if unfolded else ""
    return Html(f"<details{state}><summary>{_said(summary)}</summary>\n{join(*parts)}\n</details>")


def row(*parts: str) -> Html:
    """Charts, or other parts of any width, side by side if there is room."""
    return Html(f'<div class="row">{join(*parts)}</div>')


def tiles(values: Mapping[str, Cell]) -> Html:
    """The few important numbers, large: name -> value."""
    cells = (
        f'<div class="tile"><b>{text(format_cell(value))}</b><span>{_said(name)}</span></div>'
        for name, value in values.items()
    )
    return Html(f'<div class="tiles">{"".join(cells)}</div>')


def table(header: Sequence[str], rows: Sequence[Sequence[Cell]], caption: str = "") -> Html:
    """A table. Columns with only numbers are right-aligned. Raises ValueError for rows of different lengths.

    On a narrow screen, each row of a table with many columns becomes a block with the column names.
    """
    for number, row in enumerate(rows):
        if len(row) != len(header):
            raise ValueError(f"row {number} has {len(row)} cells, expected {len(header)}: {row!r}")
    numeric = [bool(rows) and all(_is_number(row[i]) for row in rows) for i in range(len(header))]

    wide = len(header) > NARROW_COLUMNS

    def cells(tag: str, row: Sequence[Cell]) -> str:
        return "".join(
            f"<{tag}{' class=n' if right else ''}{_called(name) if wide and tag == 'td' else ''}>"
            f"{text(format_cell(cell))}</{tag}>"
            for cell, right, name in zip(row, numeric, header, strict=True)
        )

    header = [_said(name) for name in header]
    head = f"<caption>{_said(caption)}</caption>" if caption else ""
    body = "\n".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return Html(
        f'<div class="scroll"><table{" class=wide" if wide else ""}>{head}<thead><tr>{cells("th", header)}</tr></thead>'
        f"<tbody>\n{body}\n</tbody></table></div>"
    )


def folded_table(
    header: Sequence[str], rows: Sequence[Sequence[Cell]], first: int, summary: str
) -> Html:
    """Shows the first rows; the others are folded. summary: of those others."""
    rest = [details(summary, table(header, rows[first:]))] if len(rows) > first else []
    return join(table(header, rows[:first]), *rest)


def _called(name: str) -> str:
    return f' data-name="{html.escape(name, quote=True)}"' if name else ""


def figure(image: Media | bytes | np.ndarray, caption: str = "", width: int = 160) -> Html:
    """A picture embedded in the page, `width` CSS pixels wide.

    image: a picture of a row, encoded bytes, or uint8 (H, W, 3) or (H, W). One that cannot be decoded becomes an
    empty frame with a message.
    """
    below = f"<figcaption>{text(caption)}</figcaption>" if caption else ""
    try:
        source, alt = _data_uri(image, 2 * width), html.escape(caption, quote=True)
        shown = f'<img src="{source}" alt="{alt}" loading="lazy">'
    except WeftError:
        shown = f'<div class="gone">{say("cannot be decoded")}</div>'
    return Html(f'<figure class="picture" style="width:{width}px">{shown}{below}</figure>')


def side_by_side(figures: Sequence[str], caption: str = "") -> Html:
    """Related figures side by side, under one caption."""
    below = f"<figcaption>{text(caption)}</figcaption>" if caption else ""
    return Html(f'<figure><div class="pair">{join(*figures)}</div>{below}</figure>')


def grid(figures: Sequence[str], columns: int | None = None, width: int = 160) -> Html:
    """Figures in rows: as many of `width` pixels as fit, or exactly `columns` on wide screens."""
    if columns is None:
        return Html(f'<div class="grid" style="--cell:{width}px">{join(*figures)}</div>')
    return Html(f'<div class="grid fixed" style="--columns:{columns}">{join(*figures)}</div>')


def format_cell(value: Cell) -> str:
    """Formats numbers for people: 8,091; 27.3; 0.0031; '–' for None and NaN."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return say("yes") if value else say("no")
    if isinstance(value, int | np.integer):
        return f"{value:,}"
    if isinstance(value, float | np.floating):
        return _format_float(float(value))
    return value


def _format_float(value: float) -> str:
    if math.isnan(value):
        return "–"
    size = abs(value)
    if size >= 1000:
        return f"{value:,.0f}"
    if size >= 10 or value == 0:
        return f"{value:.1f}"
    return f"{value:.2f}" if size >= 1 else f"{value:.3g}"


def _is_number(cell: Cell) -> bool:
    if isinstance(cell, Html):
        return False
    return not isinstance(cell, str) or NUMBER.fullmatch(cell.strip()) is not None


def _data_uri(image: Media | bytes | np.ndarray, pixels: int) -> str:
    """`image` as a data URI of at most `pixels` width and twice that height. Raises WeftError."""
    content = image.load() if isinstance(image, Media) else image
    if isinstance(content, bytes):
        content = read_image(content, max_pixels=MOST_PIXELS, min_side=pixels)
    picture = Image.fromarray(np.ascontiguousarray(content, dtype=np.uint8))
    small = max(picture.size) <= SMALL_PIXELS
    picture = picture.convert("RGB")
    picture.thumbnail((pixels, 2 * pixels))
    encoded = _encoded(picture, "png") if small else b""
    if small and len(encoded) <= LARGEST_PNG:
        return _uri(encoded, "png")
    return _uri(_encoded(picture, "jpeg", FINE_QUALITY if small else JPEG_QUALITY), "jpeg")


def _encoded(picture: Image.Image, kind: str, quality: int = JPEG_QUALITY) -> bytes:
    encoded = io.BytesIO()
    picture.save(encoded, kind, optimize=True, quality=quality)
    return encoded.getvalue()


def _uri(encoded: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(encoded).decode()}"
