"""Small tables of text, for a terminal and for a notebook."""

import html
from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size

GAP = "  "
LEAST = 8
"""Cells to which a column is cut at most."""


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]], width: int = 100) -> str:
    """Columns side by side in at most `width` cells; the widest are cut, with "…" at the end.

    A Chinese character takes two cells. Columns are never cut below LEAST, so a narrower width is passed.
    """
    table = [[" ".join(cell.split()) for cell in row] for row in (header, *rows)]
    sizes = [max(map(cell_len, column)) for column in zip(*table, strict=True)]
    while sum(sizes) + len(GAP) * (len(sizes) - 1) > width and max(sizes) > LEAST:
        sizes[sizes.index(max(sizes))] -= 1
    lines = (GAP.join(map(_cut, row, sizes)).rstrip() for row in table)
    return "\n".join(lines)


def html_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The same for a notebook; every cell is text and is escaped."""
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in header)
    body = "".join(
        f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cut(cell: str, size: int) -> str:
    return (
        set_cell_size(cell, size) if cell_len(cell) <= size else f"{set_cell_size(cell, size - 1)}…"
    )
