"""Names and what they are, in two columns that fit the terminal."""

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table
from rich.text import Text

NARROW = 60
"""Columns of a terminal below which a description stands under its name."""


def print_rows(rows: Iterable[tuple[str, str]], *, indent: int = 0) -> None:
    """Prints each name with its description, whose lines are wrapped; names are never cut."""
    console = Console(highlight=False)
    rows = list(rows)
    longest = max((Text(name).cell_len for name, _ in rows), default=0)
    below = console.width < NARROW or longest > console.width // 2
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")  # Chinese has no blanks to wrap at
    for name, line in rows:
        left = f"{' ' * indent}{name}"
        if below:
            console.print(Text(left), soft_wrap=True)
            wrapped = Text(line).wrap(console, max(console.width - indent - 4, 10))
            for part in wrapped:
                console.print(Text(f"{' ' * (indent + 4)}{part.plain.rstrip()}"), soft_wrap=True)
        else:
            table.add_row(Text(left), Text(line))
    if not below:
        console.print(table)
