"""Table files: CSV, TSV and JSON lines. Each row comes with its file and line."""

import csv
import io
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from weft.core.errors import DataError, WeftError
from weft.core.files import open_file
from weft.data.formats._dialect import delimiter_of
from weft.data.formats._encodings import decode, is_bad, marked, not_text
from weft.data.formats._excel_rows import excel_rows
from weft.data.formats._files import json_objects, read_bytes, read_json
from weft.data.formats._parquet_cells import plain
from weft.data.formats._pictures import has_media
from weft.data.formats._rows import OnError, known_split

Rows = Iterator[tuple[str, dict[str, Any]]]
"""(file:line, columns) of each row."""

CSV_SUFFIXES = (".csv", ".tsv")
JSON_SUFFIXES = (".jsonl", ".ndjson", ".json")
EXCEL_SUFFIXES = (".xlsx", ".xlsm")
METADATA = "metadata"
"""A table with this name describes the pictures beside and below it (Hugging Face's image folders)."""


def tables(path: Path, suffixes: tuple[str, ...], preferred: str | None = None) -> list[Path]:
    """Returns the table files at `path`: the file itself, or those in the folder.

    A folder may hold one table, several named after splits (train.jsonl, test.jsonl), or several of which one is
    `preferred`. Empty if there are none. Metadata files of pictures do not count.
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
    known = (*CSV_SUFFIXES, *JSON_SUFFIXES, *EXCEL_SUFFIXES, ".parquet")
    return path.stem.lower() == METADATA and path.suffix.lower() in known


def _is_table(path: Path, suffixes: tuple[str, ...]) -> bool:
    if path.suffix.lower() not in suffixes or not path.is_file():
        return False
    if path.suffix.lower() == ".json" and not _is_list_of_objects(path):
        return False
    return not (is_metadata(path) and has_media(path.parent))


def _is_list_of_objects(path: Path) -> bool:
    """Whether the file begins like a JSON list of rows. The annotation files of most data sets are one object."""
    with open_file(path) as file:
        start = file.read(256)
    text = start.decode(marked(start) or "utf-8", "replace").lstrip("\ufeff")
    return re.match(r"\s*\[\s*\{", text) is not None


def with_split(row: dict[str, Any], split: str | None) -> dict[str, Any]:
    """Returns the row with the split of its file, unless it names one itself."""
    if split is None:
        return row
    said = next((name for name in row if name.strip().lower() == "split"), "split")
    named = row.get(said)
    return row if named is not None and str(named).strip() else {**row, said: split}


def table_rows(path: Path, on_error: OnError, encoding: str | None = None) -> Rows:
    """Yields the rows of a table of any kind."""
    if path.suffix.lower() in CSV_SUFFIXES:
        return csv_rows(path, on_error, encoding)
    if path.suffix.lower() in JSON_SUFFIXES:
        return json_rows(path, on_error, encoding)
    if path.suffix.lower() in EXCEL_SUFFIXES:
        return excel_rows(path)
    return _parquet_rows(path)


def json_rows(path: Path, on_error: OnError, encoding: str | None = None) -> Rows:
    """Yields the rows of JSON lines, or of a .json file with one list of objects; there the number is the row's."""
    if path.suffix.lower() != ".json":
        yield from json_objects(path, on_error, encoding)
        return
    for number, row in enumerate(read_json(path, encoding), start=1):
        source = f"{path}:{number}"
        if isinstance(row, dict):
            yield source, row
        else:
            on_error(DataError(f"holds {row!r:.60}, expected a JSON object", source=source))


def csv_rows(path: Path, on_error: OnError, encoding: str | None = None) -> Rows:
    """Yields the rows of a table with a header. A row that cannot be parsed is only an error of its first line."""
    data = read_bytes(path)
    names: list[str] | None = None
    hint: str | None = None
    for number, cells in _parsed(path, decode(data, path, encoding), on_error):
        source = f"{path}:{number}"
        if any(map(is_bad, cells)):
            line = data.split(b"\n", number)[number - 1]
            hint = hint or not_text(data, line, encoding)
            if names is None:
                raise DataError(hint, source=source)
            on_error(DataError(hint, source=source))
        elif names is None:
            names = _header(cells, source)
        elif len(cells) != len(names):
            reason = f"has {len(cells)} cells, expected {len(names)}: {', '.join(names)}"
            on_error(DataError(reason, source=source))
        else:
            # In CSV an empty cell means that the row has no value.
            yield source, {n: cell.strip() or None for n, cell in zip(names, cells, strict=True)}


def _parquet_rows(path: Path) -> Rows:
    """Yields the rows of a small parquet file, such as the metadata of pictures."""
    import pyarrow
    import pyarrow.parquet

    damaged = (pyarrow.ArrowException, OSError, ValueError, OverflowError, MemoryError)
    try:
        open_file(path).close()  # refuses a pipe, at which pyarrow would wait
        rows = pyarrow.parquet.read_table(path).to_pylist()
    except damaged as error:
        reason = f"is not readable as parquet: {' '.join(str(error).split()):.200}"
        raise DataError(reason, source=str(path)) from None
    return ((f"{path}:{number}", plain(row)) for number, row in enumerate(rows))


def _parsed(path: Path, text: str, on_error: OnError) -> Iterator[tuple[int, list[str]]]:
    """Yields (line, cells) of every row that is not empty.

    A quotation mark that is never closed would swallow the rest of the file. After such a row, parsing continues at
    the line after its first one.
    """
    table = list(io.StringIO(text, newline=""))
    delimiter, start = delimiter_of(table, path.suffix.lower())
    while start < len(table):
        reader = csv.reader(itertools.islice(table, start, None), delimiter=delimiter, strict=True)
        begin = line = start
        while True:
            try:
                cells = next(reader, None)
            except csv.Error as error:
                on_error(DataError(f"is not a table row: {error}", source=f"{path}:{line + 1}"))
                start = line + 1
                break
            if cells is None:
                return
            number, line = line + 1, begin + reader.line_num
            if cells:
                yield number, cells


def _header(cells: list[str], source: str) -> list[str]:
    """Returns the names of the columns. Raises DataError if two are the same.

    A column without a name, such as the index that pandas writes, is named by its position: column 1.
    """
    names = [cell.strip() or f"column {place}" for place, cell in enumerate(cells, start=1)]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"has the column '{twice}' twice, expected each once", source=source)
    return names
