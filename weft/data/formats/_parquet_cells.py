"""Cells of parquet files. Columns are read one row group at a time, and the latest ones are cached."""

import bisect
import datetime
import decimal
import functools
import hashlib
import io
import itertools
import json
import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from weft.core.errors import DataError, WeftError
from weft.core.files import LARGEST_FILE, cache_folder, open_file, read_file, write_text
from weft.core.places import digest_of, file_changed, file_stamp
from weft.core.progress import progress
from weft.core.recent import RecentBytes

KEPT_BYTES = 256 << 20
"""Limit of the cached columns of row groups, over all files. Shuffled reading is slow if row groups are larger."""
_KEPT: RecentBytes[Any] = RecentBytes(KEPT_BYTES)
log = logging.getLogger("weft.data")


def plain(value: Any) -> Any:
    """Converts a parquet value to its JSON value: dates and times to ISO 8601, decimals to numbers."""
    match value:
        case dict():
            return {name: plain(each) for name, each in value.items()}
        case list():
            return [plain(each) for each in value]
        case datetime.date() | datetime.time():
            return value.isoformat()
        case datetime.timedelta():
            return value.total_seconds()
        case decimal.Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
    return value


class Stored(NamedTuple):
    """Where a column of bytes lies, and where the name of their file lies, if anywhere.

    A place is the column's name, followed by a field's name for {bytes, path} of Hugging Face.
    """

    data: tuple[str, ...]
    name: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class ParquetCell:
    """A place of Media: the bytes in one cell. column: its name, and a field's name if there is one."""

    path: Path
    row: int
    column: tuple[str, ...]

    def load(self, limit: int) -> bytes:
        value = opened(self.path).value(self.column, self.row)
        if not isinstance(value, bytes):
            raise DataError(f"holds {value!r:.60}, expected bytes", source=str(self))
        if len(value) > limit:
            raise DataError(f"holds more than the limit of {limit:,} bytes", source=str(self))
        return value

    def open(self) -> BinaryIO:
        return io.BytesIO(self.load(LARGEST_FILE))

    def size(self) -> None:
        return None

    def stamp(self, *, times: bool) -> str:
        return f"{file_stamp(self.path, times=times)} {self.row} {self.column}"

    def changed(self) -> int:
        return file_changed(self.path)

    def __str__(self) -> str:
        return f"{self.path}:{self.row}"


class ParquetFile:
    """An open parquet file. Columns are read one row group at a time. Safe to use from threads.

    columns: all names. texts: names of string columns. stored: columns of bytes. metadata: of the schema. rows: their
    number; first_rows: rows in the first row group that is not empty. A field of a column is called `column.field`.
    """

    def __init__(self, path: Path) -> None:
        """Raises DataError where the file cannot be read."""
        import pyarrow
        import pyarrow.parquet

        self.path = path
        # A damaged file makes pyarrow raise these as well.
        damaged = (ValueError, TypeError, OverflowError, MemoryError, RecursionError)
        self._errors = (pyarrow.ArrowException, OSError, *damaged)
        self._lock = threading.Lock()
        try:
            open_file(path).close()  # refuses a pipe, at which pyarrow would wait
            self._file = pyarrow.parquet.ParquetFile(path)
            schema, told = self._file.schema_arrow, self._file.metadata
            groups = [told.row_group(n) for n in range(told.num_row_groups)]
            self._nulls = [_null_counts(group, self._file.schema) for group in groups]
            counts = [group.num_rows for group in groups]
        except self._errors as error:
            raise self._unreadable(error) from None
        self.columns: list[str] = list(schema.names)
        self.metadata: Mapping[bytes, bytes] = schema.metadata or {}
        self.texts = frozenset(field.name for field in schema if _is_text(field.type))
        self.stored = {field.name: kept for field in schema if (kept := _stored(field)) is not None}
        self._starts = list(itertools.accumulate(counts, initial=0))
        self.rows = sum(counts)
        self.first_rows = next((count for count in counts if count), 0)

    def cells(self, leaves: Sequence[str], row: int) -> dict[str, Any]:
        """Returns column -> value of that row. A struct has only the requested fields."""
        if not leaves:
            return {}
        group = bisect.bisect_right(self._starts, row) - 1
        try:
            table = self._group(group, tuple(leaves))
            values: dict[str, Any] = plain(table.slice(row - self._starts[group], 1).to_pylist()[0])
        except self._errors as error:
            raise self._unreadable(error, row) from None
        return values

    def value(self, column: tuple[str, ...], row: int) -> Any:
        """Returns the value in that row, or a field of it if `column` names one."""
        value: Any = self.cells([".".join(column)], row)
        for name in column:
            value = value.get(name) if isinstance(value, dict) else None
        return value

    def has(self, stored: Stored, row: int) -> bool:
        """Whether the row's cell holds bytes. The cells are read only if some rows of the group hold none."""
        group = bisect.bisect_right(self._starts, row) - 1
        nulls = self._nulls[group].get(".".join(stored.data))
        if nulls in (0, self._starts[group + 1] - self._starts[group]):
            return nulls == 0
        return self.value(stored.data, row) is not None

    def table(self, leaves: Sequence[str]) -> list[dict[str, Any]]:
        """Returns these columns of every row. They must fit into memory."""
        try:
            rows: list[dict[str, Any]] = self._file.read(columns=list(leaves)).to_pylist()
        except self._errors as error:
            raise self._unreadable(error) from None
        return rows

    def stream(self, column: tuple[str, ...]) -> Iterator[Any]:
        """Yields the column of every row, a few rows at a time."""
        leaf = ".".join(column)
        try:
            for batch in self._file.iter_batches(batch_size=64, columns=[leaf]):
                for value in batch.to_pylist():
                    for name in column:
                        value = value.get(name) if isinstance(value, dict) else None  # noqa: PLW2901
                    yield value
        except self._errors as error:
            raise self._unreadable(error) from None

    def _group(self, group: int, leaves: tuple[str, ...]) -> Any:
        key = (self.path, file_stamp(self.path, times=True), group, leaves)
        with self._lock:
            table = _KEPT.get(key)
            if table is None:
                table = self._file.read_row_group(group, columns=list(leaves))
                _KEPT.put(key, table, table.nbytes)
        return table

    def _unreadable(self, error: Exception, row: int | None = None) -> DataError:
        reason = " ".join(str(getattr(error, "strerror", None) or error).split())
        source = str(self.path) if row is None else f"{self.path}:{row}"
        return DataError(f"is not readable as parquet: {reason:.200}", source=source)

    def __reduce__(self) -> tuple[Any, tuple[Path]]:
        return opened, (self.path,)


def opened(path: Path) -> ParquetFile:
    """Returns the open file; it stays open as long as the file does not change. Raises DataError if it cannot be
    read."""
    return _opened(path, file_stamp(path, times=True))


@functools.lru_cache(maxsize=64)
def _opened(path: Path, stamp: str) -> ParquetFile:  # noqa: ARG001
    return ParquetFile(path)


def digests(file: ParquetFile, stored: Stored) -> list[str | None]:
    """Returns the digest of every row's bytes, None if a row has none. Digests are kept in the user's cache."""
    about = f"{file_stamp(file.path.absolute(), times=True)} {stored.data}"
    name = hashlib.blake2b(about.encode(errors="surrogatepass"), digest_size=16).hexdigest()
    kept = cache_folder() / "indexes" / f"{name}.digests.json"
    try:
        found = json.loads(read_file(kept))
    except (OSError, ValueError, RecursionError):
        found = None
    if _are_digests(found, file.rows):
        return list(found)
    found = []
    with progress(f"looking for equal pictures in {file.path.name}", file.rows) as advance:
        for value in file.stream(stored.data):
            found.append(digest_of(value) if isinstance(value, bytes) else None)
            advance(1)
    try:
        write_text(kept, json.dumps(found))
    except WeftError as error:
        log.debug("digests stay in memory: %s", error)
    return found


def _are_digests(value: Any, rows: int) -> bool:
    if not isinstance(value, list) or len(value) != rows:
        return False
    return all(each is None or isinstance(each, str) for each in value)


def _stored(field: Any) -> Stored | None:
    """Returns where a column of bytes lies; None for any other column."""
    if _is_binary(field.type):
        return Stored((field.name,), None)
    import pyarrow.types

    if not pyarrow.types.is_struct(field.type):
        return None
    names = {inner.name: inner.type for inner in field.type}
    if "bytes" not in names or not _is_binary(names["bytes"]):
        return None
    return Stored((field.name, "bytes"), (field.name, "path") if "path" in names else None)


def _is_text(kind: Any) -> bool:
    import pyarrow.types

    if pyarrow.types.is_dictionary(kind):
        kind = kind.value_type
    tests = (pyarrow.types.is_string, pyarrow.types.is_large_string, pyarrow.types.is_string_view)
    return any(test(kind) for test in tests)


def _is_binary(kind: Any) -> bool:
    import pyarrow.types

    tests = (pyarrow.types.is_binary, pyarrow.types.is_large_binary, pyarrow.types.is_binary_view)
    return any(test(kind) for test in tests)


def _null_counts(group: Any, schema: Any) -> dict[str, int | None]:
    """Returns leaf -> number of null rows in the row group; None if the file does not say."""
    found: dict[str, int | None] = {}
    for number in range(group.num_columns):
        column, kind = group.column(number), schema.column(number).physical_type
        if column.physical_type != kind:  # pyarrow crashes when it reads the statistics of these
            raise ValueError(f"column {number} is {column.physical_type}, its schema says {kind}")
        told = column.statistics
        count = told.null_count if told is not None and told.has_null_count else None
        found[column.path_in_schema] = count
    return found
