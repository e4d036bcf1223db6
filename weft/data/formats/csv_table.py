"""CSV and TSV tables with a header line."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from weft.core.errors import DataError
from weft.core.files import open_file
from weft.core.records import Sample
from weft.data.formats._files import read_text, tables
from weft.data.formats._rows import OnError, known_split, select, table_samples

NAME = "csv"
DESCRIPTION = "a table with a header (image, caption, id, group, split, ...), comma, tab, ; or |"
SUFFIXES = (".csv", ".tsv")
PREFERRED = "captions.csv"
KAGGLE = "captions.txt"
"""Flickr8k is also passed on with its captions as `image,caption` lines in a file of this name."""


def detect(path: Path) -> bool:
    if path.is_dir():
        return any(p.suffix.lower() in SUFFIXES or _is_kaggle(p) for p in path.iterdir())
    return path.is_file() and (path.suffix.lower() in SUFFIXES or _is_kaggle(path))


def read(path: Path, split: str | None, on_error: OnError) -> list[Sample]:
    """One sample a row; rows of one picture have the picture as their group."""
    files = tables(path, SUFFIXES, PREFERRED)
    kaggle = path / KAGGLE if path.is_dir() else path
    if not files and _is_kaggle(kaggle):
        files = [kaggle]
    rows = [row for file in files for row in _rows(file, on_error)]
    folder = path if path.is_dir() else path.parent
    return select(table_samples(rows, folder, on_error), split, path)


def _rows(path: Path, on_error: OnError) -> Iterator[tuple[str, dict[str, Any]]]:
    """(file:line, columns); an empty cell of any column but text says that the row has no value."""
    text = read_text(path)
    header = text.partition("\n")[0]
    delimiter = max("\t,;|", key=header.count) if path.suffix.lower() != ".tsv" else "\t"
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    split = known_split(path.stem)
    names: list[str] | None = None
    line = 1
    while True:
        source = f"{path}:{line}"
        try:
            cells = next(reader, None)
        except csv.Error as error:
            on_error(DataError(f"is not a table row: {error}", source=source))
            cells = []
        line = reader.line_num + 1
        if cells is None:
            return
        if not cells:
            continue
        if names is None:
            names = [cell.strip() for cell in cells]
        elif len(cells) != len(names):
            reason = f"has {len(cells)} cells, expected {len(names)}: {', '.join(names)}"
            on_error(DataError(reason, source=source))
        else:
            row = {n: _value(n, cell) for n, cell in zip(names, cells, strict=True)}
            yield source, ({"split": split, **row} if split else row)


def _value(name: str, cell: str) -> str | None:
    return cell.strip() if cell.strip() or name not in ("id", "group", "split", "label") else None


def _is_kaggle(path: Path) -> bool:
    if path.name != KAGGLE or not path.is_file():
        return False
    with open_file(path) as file:
        return file.readline(100).strip() == b"image,caption"
