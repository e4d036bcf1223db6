"""Opens the data of `weft fit`, and selects the columns that a model may read."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from weft.core.errors import DataError, WeftError, unknown_name
from weft.core.text import counted
from weft.data.column_kinds import MEDIA
from weft.data.formats import NOTHING_SAID, Said, open_dataset
from weft.data.schema import Schema, infer, require_files
from weft.data.sources import DataSource, FilesConfig
from weft.fitting.table import Table, read_table

USED: tuple[str, ...] = (*MEDIA, "text", "number", "category", "tags", "date")
"""Kinds of columns that a model may read."""
FEWEST = 2
"""Least number of rows: a row is measured by a model that was trained on others."""


@dataclass(frozen=True)
class Opened:
    """The data, read once for all targets."""

    source: DataSource
    schema: Schema
    table: Table


def open_table(data: Path | str, said: Said = NOTHING_SAID, named: Sequence[str] = ()) -> Opened:
    """Reads every row once. said: the user's settings for the table. named: columns that must exist; this is checked
    first. Raises WeftError if one does not exist, or if no row can be used.
    """
    source = FilesConfig(
        Path(data), columns=dict(said.columns), images_dir=said.images_dir, encoding=said.encoding
    ).absolute()
    bad: list[DataError] = []
    dataset = open_dataset(source.path, said=said, on_error=bad.append)
    schema = infer(dataset, said.columns, said.merge)
    for name in named:
        if name not in schema.columns:
            raise unknown_name("column", name, schema.columns)
    require_files(schema, source.path)
    return Opened(source.with_forms(dataset), schema, read_table(dataset, bad))


def require_rows(table: Table) -> None:
    """Raises WeftError if there are too few rows to train on some and measure others."""
    if len(table) < FEWEST:
        rows = counted(len(table), "row")
        raise WeftError(f"{rows} can be used, expected {FEWEST} or more")


def usable(schema: Schema, target: str, without: Sequence[str]) -> dict[str, str]:
    """Column -> its kind, for the columns that a model may read. Raises WeftError if there is none."""
    out = {target, *without}
    kinds = {name: str(one.kind) for name, one in schema.columns.items() if name not in out}
    found: dict[str, str] = {name: kind for name, kind in kinds.items() if kind in USED}
    if not found:
        has = ", ".join(f"{name} ({kind})" for name, kind in kinds.items()) or "no other column"
        raise WeftError(f"there is no column that '{target}' could be predicted from: {has}")
    return found
