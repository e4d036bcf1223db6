"""Text tables for a terminal of any width and for a notebook."""

import html
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Literal

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

GAP = "  "
LEAST = {"cut": 8, "wrap": 30}
"""Cells. A column is never narrower."""
INDENT = "    "


@dataclass(frozen=True)
class TableColumn:
    """right: numbers, aligned at their last digit. long: how text that is too long is shown: cut, ending with "…",
    wrapped into lines, or kept as it is, like numbers.
    """

    name: str = ""
    right: bool = False
    long: Literal["cut", "wrap", "whole"] = "cut"

    @property
    def whole(self) -> bool:
        return self.right or self.long == "whole"


@dataclass(frozen=True)
class TextTable:
    """Columns, rows with one cell per column, and lines above and below the table."""

    columns: Sequence[TableColumn]
    rows: Sequence[Sequence[str]]
    title: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        for number, row in enumerate(self.rows):
            if len(row) != len(self.columns):
                raise ValueError(
                    f"row {number} has {len(row)} cells, expected {len(self.columns)}: {row!r}"
                )

    def text(self, width: int | None = None) -> str:
        """The table in at most `width` cells (default: the width of the terminal); a Chinese character takes two.

        First the names of columns are wrapped, then text is cut or wrapped. If the table is still too wide, each
        row becomes a block with one line per cell.
        """
        width = shutil.get_terminal_size().columns if width is None else width
        sizes = self._sizes(width)
        lines = self._blocks(width) if sizes is None else self._side_by_side(sizes)
        title, note = ([self.title] if self.title else []), ([self.note] if self.note else [])
        return "\n".join([*title, *lines, *note])

    def html(self) -> str:
        """The same table for a notebook; the text of every cell is escaped."""
        head = "".join(f"<th>{html.escape(column.name)}</th>" for column in self.columns)
        body = "".join(
            f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>"
            for row in self.rows
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def _sizes(self, width: int) -> list[int] | None:
        """The width of each column, in cells; None if the columns do not fit."""
        values = [max((cell_len(_line(row[n])) for row in self.rows), default=0) for n in self._all]
        words = [max(map(cell_len, column.name.split()), default=0) for column in self.columns]
        sizes = [max(cell_len(c.name), size) for c, size in zip(self.columns, values, strict=True)]
        wrapped_names = [max(pair) for pair in zip(values, words, strict=True)]
        cut_values = [
            max(word, value if column.whole else min(value, LEAST[column.long]))
            for column, value, word in zip(self.columns, values, words, strict=True)
        ]
        for least in (wrapped_names, cut_values):
            while sum(sizes) + len(GAP) * (len(sizes) - 1) > width:
                free = [n for n in self._all if sizes[n] > least[n]]
                if not free:
                    break
                sizes[max(free, key=sizes.__getitem__)] -= 1
            else:
                return sizes
        return None

    @property
    def _all(self) -> range:
        return range(len(self.columns))

    def _side_by_side(self, sizes: Sequence[int]) -> list[str]:
        head = [_wrapped(c.name, size) for c, size in zip(self.columns, sizes, strict=True)]
        rows = [
            [
                _wrapped(cell, size) if column.long == "wrap" else [_cut(_line(cell), size)]
                for cell, column, size in zip(row, self.columns, sizes, strict=True)
            ]
            for row in self.rows
        ]
        named = any(column.name for column in self.columns)
        return [
            GAP.join(map(_aligned, cells, self.columns, sizes)).rstrip()
            for row in ([head] if named else []) + rows
            for cells in zip_longest(*row, fillvalue="")
        ]

    def _blocks(self, width: int) -> list[str]:
        """For each row its first cell, and below it the other cells, each with the name of its column."""
        lines: list[str] = []
        for first, *others in self.rows:
            lines.append(_line(first))
            for column, cell in zip(self.columns[1:], others, strict=True):
                said = f"{column.name}: {_line(cell)}" if column.name else _line(cell)
                if cell:
                    lines += [f"{INDENT}{part}" for part in _wrapped(said, width - len(INDENT))]
        return lines


def _line(cell: str) -> str:
    return " ".join(cell.split())


def _wrapped(text: str, width: int) -> list[str]:
    """Lines of at most `width` cells, broken between words, or within a word that is longer."""
    width = max(width, 10)
    parts = Text(_line(text)).wrap(Console(width=width), width, overflow="fold")
    return [part.plain.rstrip() for part in parts]


def _cut(cell: str, size: int) -> str:
    return cell if cell_len(cell) <= size else f"{set_cell_size(cell, size - 1)}…"


def _aligned(cell: str, column: TableColumn, size: int) -> str:
    blanks = " " * (size - cell_len(cell))
    return f"{blanks}{cell}" if column.right else f"{cell}{blanks}"
