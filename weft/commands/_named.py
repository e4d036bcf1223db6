"""Prints names and their descriptions as a table that fits the terminal."""

import textwrap
from collections.abc import Iterable

from rich.console import Console

from weft.core.tables import TableColumn, TextTable

COLUMNS = (TableColumn(long="whole"), TableColumn(long="wrap"))


def print_named(rows: Iterable[tuple[str, str]], *, indent: int = 0) -> None:
    """Prints each name with its description. Descriptions are wrapped; names are never cut."""
    table = TextTable(COLUMNS, list(rows))
    if table.rows:
        print(textwrap.indent(table.text(Console().width - indent), " " * indent))
