"""The layouts in which data sets come; one module of this folder is one format.

A format module has NAME, DESCRIPTION (one line), `detect(path) -> bool` and
`read(path, on_error) -> Dataset`. Adding a format is adding its file: `formats()` finds it.
"""

import importlib
import pkgutil
from collections import Counter
from pathlib import Path
from typing import Protocol, cast

from weft.core.errors import DataError, WeftError, unknown_name
from weft.data.formats._columns import is_text_column
from weft.data.formats._files import listed_once, said_of_nothing
from weft.data.formats._remote import address_of
from weft.data.formats._rows import (
    Chained,
    Dataset,
    OnError,
    Subset,
    columns_of,
    missing_files,
    raise_error,
    rows_of_split,
    split_name,
    splits_of,
    spread,
    spread_rows,
)
from weft.data.formats._said import KINDS, MEANINGS, NOTHING_SAID, ROLES, Said, SaidRows
from weft.data.formats._table_samples import table_samples

__all__ = [
    "KINDS",
    "MEANINGS",
    "NOTHING_SAID",
    "ROLES",
    "Chained",
    "Dataset",
    "Format",
    "OnError",
    "Said",
    "Subset",
    "address_of",
    "columns_of",
    "formats",
    "is_text_column",
    "missing_files",
    "open_dataset",
    "raise_error",
    "rows_of_split",
    "split_name",
    "splits_of",
    "spread",
    "spread_rows",
    "table_samples",
]


GENERAL = ("csv", "jsonl", "excel", "folder")
"""Generic layouts, which belong to no particular data set. A published layout that also fits takes precedence."""

TABLES = ("csv", "jsonl", "excel", "parquet", "folder")
"""Formats whose column names people choose. A folder has such names only in its metadata."""
SHARDS = "webdataset"
"""The only format that is also read from an address."""
FALLBACK = "folder"
"""If another format also fits a folder, these metadata files describe its pictures."""


class Format(Protocol):
    """The interface of a module in this folder."""

    NAME: str
    DESCRIPTION: str

    def detect(self, path: Path) -> bool:
        """Whether the file or folder looks like this format; cheap."""
        ...

    def read(self, path: Path, on_error: OnError) -> Dataset:
        """All rows. Those that cannot be used go to `on_error` and are left out."""
        ...


class TableFormat(Protocol):
    """Further interface of a table format: it reads columns as the user declares them."""

    def read(self, path: Path, on_error: OnError, said: Said) -> Dataset: ...


def formats() -> dict[str, Format]:
    """All formats by name."""
    modules = (
        cast(Format, importlib.import_module(f"{__name__}.{info.name}"))
        for info in pkgutil.iter_modules(__path__)
        if not info.name.startswith("_")
    )
    return {module.NAME: module for module in modules}


def open_dataset(
    path: Path | str,
    *,
    split: str | None = None,
    format: str | None = None,
    said: Said = NOTHING_SAID,
    on_error: OnError = raise_error,
) -> Dataset:
    """Opens the samples at `path`: a file or folder in any known format, or an address with tar shards.

    split: "train", "validation" (or "dev", "val"), "test", another name that the data has, or None for all rows.
    format: a name of `formats()`, or None to detect it. said: what the user declares about columns, the folder of
    pictures and the encoding. on_error: called with the error of each unusable row; by default it raises. If it
    returns, the row is left out.

    Raises WeftError if the path, the format or the split does not exist; it lists those that do.
    """
    path = Path(path).expanduser()
    first: list[DataError] = []

    def told(error: DataError) -> None:
        if not first:
            first.append(error)
        on_error(error)

    try:
        with listed_once():
            dataset = _read(_format(path, format), path, told, said)
    except OSError as error:
        raise WeftError(f"{error.filename or path}: cannot be read: {error.strerror}") from error
    if len(dataset) == 0:
        if first:
            raise WeftError(f"{path}: holds no rows; the first problem: {first[0]}")
        raise WeftError(_holds_nothing(path))
    if split is None:
        return dataset
    return Subset(dataset, rows_of_split(splits_of(dataset), split, path))


def _holds_nothing(path: Path) -> str:
    """Returns the message that there are no rows. For a folder it names the first empty table."""
    # In a folder a .txt file is a note or a caption, not a table.
    inside = (
        (file for file in path.iterdir() if file.suffix.lower() != ".txt") if path.is_dir() else ()
    )
    for file in sorted(inside) or [path]:
        if why := said_of_nothing(file):
            return f"{file}: holds no rows{why}"
    return f"{path}: holds no rows"


def _read(format: Format, path: Path, on_error: OnError, said: Said) -> Dataset:
    """Reads all rows. Tables are read as the user declares; other formats get renamed items."""
    if format.NAME in TABLES:
        return cast(TableFormat, format).read(path, on_error, said)
    for flag, value in (("encoding", said.encoding), ("images_dir", said.images_dir)):
        if value is not None:
            raise WeftError(
                f"{path}: {flag} is for tables ({', '.join(TABLES)}), not {format.NAME}"
            )
    dataset = format.read(path, on_error)
    if not said.columns:
        return dataset
    return SaidRows(dataset, said, path if path.is_dir() else path.parent)


def _format(path: Path, format: str | None) -> Format:
    """Returns the format of that name, or the one that fits `path`."""
    known = formats()
    if format is not None and format not in known:
        raise unknown_name("format", format, known)
    if address_of(path) is not None:
        if format not in (None, SHARDS):
            raise WeftError(f"{address_of(path)}: format is '{format}', expected {SHARDS}")
        return known[SHARDS]
    if format is not None:
        _require_path(path)
        return known[format]
    fitting = [name for name, module in known.items() if module.detect(path)]
    for left_out in (GENERAL, (FALLBACK,)):
        fitting = [name for name in fitting if name not in left_out] or fitting
    if len(fitting) == 1:
        return known[fitting[0]]
    _require_path(path)
    if fitting:
        raise WeftError(
            f"{path}: fits several formats, {' and '.join(fitting)}: "
            "name one (format), or give the path of one file"
        )
    raise WeftError(
        f"{path}: is no known format: found {_contents(path)}, expected a folder of pictures, a table (csv, tsv, xlsx, jsonl, json, "
        "parquet), tar shards, or a data set that weft list formats shows"
    )


def _require_path(path: Path) -> None:
    if not path.exists() and "{" not in path.name:
        raise WeftError(f"{path}: no such file or folder")


def _contents(path: Path) -> str:
    """Describes the content of a path in a few words."""
    if path.is_file():
        return f"a {path.suffix or 'nameless kind of'} file of {path.stat().st_size} bytes"
    kinds = Counter("folder" if p.is_dir() else p.suffix or "other" for p in path.iterdir())
    if not kinds:
        return "an empty folder"
    return ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(5))
