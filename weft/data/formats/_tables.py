"""Table files: CSV, TSV and JSON lines, row by row, each with its file and line."""

import csv
import io
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from weft.core.errors import DataError, WeftError
from weft.core.files import open_file, read_file
from weft.data.formats._files import json_objects
from weft.data.formats._parquet_cells import plain
from weft.data.formats._pictures import has_pictures
from weft.data.formats._rows import OnError, known_split

Rows = Iterator[tuple[str, dict[str, Any]]]
"""(file:line, columns) of each row."""

CSV_SUFFIXES = (".csv", ".tsv")
JSON_SUFFIXES = (".jsonl", ".ndjson")
METADATA = "metadata"
"""A table of this name describes the pictures beside and below it (Hugging Face's image folders)."""
_NOT_UTF8 = range(0xDC80, 0xDD00)
"""What a byte that is not UTF-8 becomes in a text that is read with surrogateescape."""


def tables(path: Path, suffixes: tuple[str, ...], preferred: str | None = None) -> list[Path]:
    """The table files that `path` means: itself, or those in the folder.

    A folder may hold one table, several named after splits (train.jsonl, test.jsonl), or several
    of which one is `preferred`. Empty where it holds none. The metadata of pictures is no table.
    """
    if path.is_file():
        return [path] if path.suffix.lower() in suffixes else []
    if not path.is_dir():
        return []
    found = sorted(p for p in path.iterdir() if _is_table(p, suffixes))
    if len(found) <= 1:
        return found
    if preferred is not None and (named := [p for p in found if p.name.lower() == preferred]):
        return named
    if named := [p for p in found if known_split(p.stem)]:
        return named
    names = ", ".join(p.name for p in found)
    raise WeftError(f"{path}: holds several tables, expected one: give the path of one of {names}")


def has_tables(path: Path, suffixes: tuple[str, ...]) -> bool:
    """Whether `path` is such a table, or a folder with one or more."""
    if path.is_dir():
        return any(_is_table(p, suffixes) for p in path.iterdir())
    return path.is_file() and _is_table(path, suffixes)


def is_metadata(path: Path) -> bool:
    """Whether the file is named as the metadata of the pictures beside it."""
    known = (*CSV_SUFFIXES, *JSON_SUFFIXES, ".parquet")
    return path.stem.lower() == METADATA and path.suffix.lower() in known


def _is_table(path: Path, suffixes: tuple[str, ...]) -> bool:
    if path.suffix.lower() not in suffixes or not path.is_file():
        return False
    return not (is_metadata(path) and has_pictures(path.parent))


def with_split(row: dict[str, Any], split: str | None) -> dict[str, Any]:
    """The row, in the split of its file where it names none itself."""
    if split is None:
        return row
    said = next((name for name in row if name.strip().lower() == "split"), "split")
    named = row.get(said)
    return row if named is not None and str(named).strip() else {**row, said: split}


def table_rows(path: Path, on_error: OnError) -> Rows:
    """Of a table of any kind, row by row."""
    if path.suffix.lower() in CSV_SUFFIXES:
        return csv_rows(path, on_error)
    return (
        json_objects(path, on_error)
        if path.suffix.lower() in JSON_SUFFIXES
        else _parquet_rows(path)
    )


def csv_rows(path: Path, on_error: OnError) -> Rows:
    """Of a table with a header. A row that cannot be parsed is an error of its first line alone."""
    names: list[str] | None = None
    for source, cells in _parsed(path, on_error):
        if names is None:
            names = _header(cells, source)
        elif any(ord(sign) in _NOT_UTF8 for cell in cells for sign in cell if not sign.isascii()):
            on_error(DataError("is not UTF-8 text", source=source))
        elif len(cells) != len(names):
            reason = f"has {len(cells)} cells, expected {len(names)}: {', '.join(names)}"
            on_error(DataError(reason, source=source))
        else:
            # An empty cell is how such a table says that the row has none.
            yield source, {n: cell.strip() or None for n, cell in zip(names, cells, strict=True)}


def _parquet_rows(path: Path) -> Rows:
    """Of a small parquet file, such as the metadata of pictures."""
    import pyarrow
    import pyarrow.parquet

    damaged = (pyarrow.ArrowException, OSError, ValueError, OverflowError, MemoryError)
    try:
        open_file(path).close()  # not a pipe, at which pyarrow would wait
        rows = pyarrow.parquet.read_table(path).to_pylist()
    except damaged as error:
        reason = f"is not readable as parquet: {' '.join(str(error).split()):.200}"
        raise DataError(reason, source=str(path)) from None
    return ((f"{path}:{number}", plain(row)) for number, row in enumerate(rows))


def _parsed(path: Path, on_error: OnError) -> Iterator[tuple[str, list[str]]]:
    """(file:line, cells) of every row that is not empty.

    Where a row is none (a quotation mark that is never closed would swallow the rest of the file),
    reading goes on in the line after the one that it began in.
    """
    table = _text_lines(path)
    dialect = _delimiter(path, table[0] if table else "")
    start = 0
    while start < len(table):
        reader = csv.reader(itertools.islice(table, start, None), delimiter=dialect, strict=True)
        begin = line = start
        while True:
            source = f"{path}:{line + 1}"
            try:
                cells = next(reader, None)
            except csv.Error as error:
                on_error(DataError(f"is not a table row: {error}", source=source))
                start = line + 1
                break
            if cells is None:
                return
            line = begin + reader.line_num
            if cells:
                yield source, cells


def _text_lines(path: Path) -> list[str]:
    try:
        text = read_file(path).decode("utf-8-sig", errors="surrogateescape")
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", source=str(path)) from None
    return list(io.StringIO(text, newline=""))


def _delimiter(path: Path, header: str) -> str:
    return "\t" if path.suffix.lower() == ".tsv" else max("\t,;|", key=header.count)


def _header(cells: list[str], source: str) -> list[str]:
    """The names of the columns. Raises DataError where they cannot be told apart, or are no text."""
    names = [cell.strip() for cell in cells]
    if any(ord(sign) in _NOT_UTF8 for sign in "".join(names)):
        raise DataError("is not UTF-8 text", source=source)
    twice = next((name for name in names if name and names.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"has the column '{twice}' twice, expected each once", source=source)
    return names
