"""Tables in memory: from pandas or pyarrow, or a list of dicts. Pictures are paths, bytes, arrays or Pillow images."""

import datetime
import decimal
import io
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from weft.core.distributed import barrier, rank
from weft.core.errors import WeftError
from weft.core.files import atomic_path
from weft.core.kinds import kind_of
from weft.core.media import Alternatives, Media
from weft.core.missing import is_missing
from weft.core.names import present
from weft.data.formats import NOTHING_SAID, Dataset, Said, raise_error, table_samples
from weft.data.policy import ErrorPolicy
from weft.data.prepare.split import SplitConfig
from weft.data.sources import DataSource, FilesConfig

FILE = "table.parquet"
"""File of a run directory with the in-memory table on which the run was trained."""
_PICTURES = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"RIFF")


def rows_of_table(table: Any) -> list[dict[str, Any]]:
    """Returns the rows as JSON values, with pictures as Media and None for empty cells.

    Raises WeftError for anything that is not a table.
    """
    if hasattr(table, "to_pylist"):  # pyarrow
        rows = table.to_pylist()
    elif hasattr(table, "to_dict") and hasattr(table, "columns"):  # pandas
        rows = table.to_dict("records")
    else:
        expected = "expected a table of pandas or pyarrow, or a list of dicts"
        if not isinstance(table, list | tuple):
            raise WeftError(f"got a {type(table).__name__}, {expected}")
        rows = list(table)
        for number, row in enumerate(rows, start=1):
            if not isinstance(row, Mapping):
                raise WeftError(f"row {number} is a {type(row).__name__}, {expected}")
    return [{str(name): _plain(value) for name, value in row.items()} for row in rows]


def is_table(value: Any) -> bool:
    """Whether it is a table in memory."""
    if hasattr(value, "to_pylist") or (hasattr(value, "to_dict") and hasattr(value, "columns")):
        return True
    return isinstance(value, list | tuple) and bool(value) and isinstance(value[0], Mapping)


def dataset_of(table: Any, said: Said = NOTHING_SAID) -> Dataset:
    """Returns the rows as samples. File names are relative to the working folder, or to `said.images_dir`.

    Raises WeftError if it is not a table, or a row cannot be used.
    """
    rows = ((f"row {number}", row) for number, row in enumerate(rows_of_table(table), start=1))
    return table_samples(rows, Path.cwd(), raise_error, said=said)


def write_table(table: Any, path: Path) -> Path:
    """Writes a table in memory as the parquet file `path`, with its pictures. File names become absolute.

    Raises WeftError if it is not a table, or a column cannot be written.
    """
    import pyarrow as pa
    from pyarrow import parquet

    rows = rows_of_table(table)
    if not rows:
        raise WeftError("the table in memory holds no rows")
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {}
    for name in names:
        try:
            columns[name] = pa.array([_stored(row.get(name)) for row in rows])
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            reason = str(error).splitlines()[0]
            raise WeftError(f"column '{name}' cannot be kept as parquet: {reason:.200}") from None
    with atomic_path(path) as temporary:
        parquet.write_table(pa.table(columns), temporary)
    return path


@dataclass(frozen=True)
class TableConfig(DataSource):
    """Rows of a table in memory. A run keeps them as a parquet file in its directory."""

    table: Any
    """From pandas or pyarrow, or a list of dicts. Pictures are paths, bytes, Pillow images or uint8 arrays."""
    columns: dict[str, str] = field(default_factory=dict)
    """What columns hold, as in `FilesConfig`."""
    division: SplitConfig = field(default_factory=SplitConfig)
    """How rows without a split are divided, as in `FilesConfig`."""

    def open(self, split: str | None, errors: ErrorPolicy | None = None) -> Dataset:  # noqa: ARG002
        if split is not None:
            raise WeftError(
                "a table in memory has no splits before a run saves it: open it with None"
            )
        return dataset_of(self.table, Said(self.columns))

    def kept(self, folder: Path) -> DataSource:
        path = (folder / FILE).absolute()
        found = dataset_of(self.table, Said(self.columns))
        if rank() == 0:
            write_table(self.table, path)
        barrier()
        return FilesConfig(path, columns=self.columns, division=self.division).with_forms(found)


def _plain(value: Any) -> Any:
    """Returns a cell as a JSON value, or as Media."""
    if is_missing(value) or type(value).__name__ in ("NaTType", "NAType"):
        return None
    match value:
        case Image.Image() | bytes() | bytearray() | Path():
            return _media(value)
        case np.ndarray():
            return _media(value) if _is_picture(value) else value.tolist()
        case np.generic():
            return value.item()
        case Alternatives() | Media():
            return value
        case dict() if isinstance(value.get("bytes"), bytes):
            return Media.encoded(
                value["bytes"], "image", str(value.get("path") or "")[-4:].strip(".")
            )
        case dict():
            return {str(name): _plain(each) for name, each in value.items()}
        case list() | tuple():
            return [_plain(each) for each in value]
        case datetime.datetime():
            midnight = value.time() == datetime.time() and value.tzinfo is None
            return value.date().isoformat() if midnight else value.isoformat()
        case datetime.date() | datetime.time():
            return value.isoformat()
        case decimal.Decimal():
            return float(value)
    return value


def _is_picture(array: np.ndarray) -> bool:
    return array.dtype == np.uint8 and (
        array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))
    )


def _media(value: Any) -> Any:
    """Returns a picture in memory as encoded bytes, a path as a string."""
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, bytes | bytearray):
        data = bytes(value)
        return Media.encoded(data, "image" if data.startswith(_PICTURES) else "file")
    out = io.BytesIO()
    picture = value if isinstance(value, Image.Image) else Image.fromarray(value)
    picture.save(out, "PNG")
    return Media.encoded(out.getvalue(), "image", "png")


def _stored(value: Any) -> Any:
    """Returns a cell as parquet stores it."""
    if isinstance(value, Media):
        if value.path is not None:
            return os.path.abspath(value.path)
        return {"bytes": value.read(), "path": f"picture.{value.suffix}" if value.suffix else None}
    if isinstance(value, list) and any(isinstance(each, Media) for each in value):
        raise TypeError("lists of pictures in memory; give the paths of their files")
    if isinstance(value, str) and kind_of(value) != "file":
        path = present(Path(value))
        return os.path.abspath(path) if os.path.isfile(path) else value
    return [_stored(each) for each in value] if isinstance(value, list) else value
