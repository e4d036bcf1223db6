"""Reads rows of Excel tables; needs the extra `excel`."""

import datetime
import importlib.util
import io
import logging
import re
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from weft.core.errors import DataError, MissingExtraError
from weft.core.files import LARGEST_FILE
from weft.data.formats._files import read_bytes

log = logging.getLogger("weft.data")
MOST_ROWS = 1 << 20
_ZEROS = re.compile(r"0{2,}")


def excel_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields (file:row, columns) from the first sheet with any cells. Its first row holds the names.

    Formulas are not computed; their last values in Excel are read. Numbers shown with leading zeros (format 00000)
    become strings. Raises DataError if the file cannot be read.
    """
    if importlib.util.find_spec("openpyxl") is None:
        raise MissingExtraError("openpyxl", extra="excel", purpose=f"{path}: reading Excel tables")
    sheets = _sheets(path)
    filled = [(name, rows) for name, rows in sheets if rows]
    if not filled:
        return
    if len(filled) > 1:
        others = ", ".join(name for name, _ in filled[1:])
        log.warning("%s: sheet '%s' is read; others are not: %s", path, filled[0][0], others)
    (first, header), *rows = filled[0][1]
    width = max(len(cells) for _, cells in filled[0][1])
    header = [*header, *[None] * (width - len(header))]
    names = [str(cell) if cell is not None else f"column {n}" for n, cell in enumerate(header, 1)]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        reason = f"has the column '{twice}' twice, expected each once"
        raise DataError(reason, source=f"{path}:{first}")
    for number, cells in rows:
        padded = [*cells, *[None] * (len(names) - len(cells))]
        yield f"{path}:{number}", dict(zip(names, padded, strict=False))


def _sheets(path: Path) -> list[tuple[str, list[tuple[int, list[Any]]]]]:
    """Returns name -> (row number, values) of the rows that are not empty, for each sheet."""
    import openpyxl

    data = io.BytesIO(read_bytes(path))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about styles and extensions, which hold no values
            _require_bounded(data)
            book = openpyxl.load_workbook(data, read_only=True, data_only=True)
            found = []
            for sheet in book.worksheets:
                sheet.reset_dimensions()
                rows = enumerate(([_value(cell) for cell in row] for row in sheet.iter_rows()), 1)
                kept = [(_bounded(number), _cut(row)) for number, row in rows]
                found.append((sheet.title, [(number, row) for number, row in kept if row]))
            return found
    except Exception as error:  # damaged files make the readers raise nearly any exception
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"is not readable as Excel: {reason:.200}", source=str(path)) from None


def _require_bounded(data: io.BytesIO) -> None:
    """Raises ValueError for a small file that would unpack to a very large one."""
    with zipfile.ZipFile(data) as archive:
        unpacked = sum(member.file_size for member in archive.infolist())
    if unpacked > LARGEST_FILE:
        raise ValueError(f"unpacks to {unpacked:,} bytes, more than the limit of {LARGEST_FILE:,}")


def _bounded(number: int) -> int:
    if number > MOST_ROWS:
        raise ValueError(f"a sheet has more than {MOST_ROWS:,} rows, the most that Excel can have")
    return number


def _cut(row: list[Any]) -> list[Any]:
    """Returns the row without empty cells at its end."""
    last = max((place for place, value in enumerate(row) if value is not None), default=-1)
    return row[: last + 1]


def _value(cell: Any) -> Any:
    """Converts a cell to its JSON value: dates in ISO 8601; None for an empty cell or an error such as #N/A."""
    value = cell.value
    if value is None or cell.data_type == "e":
        return None
    match value:
        case str():
            return value.strip() or None
        case datetime.datetime():
            midnight = value.time() == datetime.time()
            return value.date().isoformat() if midnight else value.isoformat()
        case datetime.date() | datetime.time():
            return value.isoformat()
        case datetime.timedelta():
            return value.total_seconds()
        case int() if not isinstance(value, bool) and _ZEROS.fullmatch(cell.number_format or ""):
            return str(value).zfill(len(cell.number_format))
    return value
