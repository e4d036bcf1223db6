"""Parquet files, as Hugging Face data sets and others have them."""

import bisect
import collections
import hashlib
import itertools
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from weft.core.errors import DataError
from weft.core.files import open_file
from weft.core.records import Sample
from weft.data.formats._columns import Columns, cell, picture_path, row_sample, usual_names
from weft.data.formats._files import named
from weft.data.formats._rows import OnError, UniqueIds, known_split, picture_folder, split_name
from weft.data.formats._tables import has_tables

NAME = "parquet"
SUFFIX = ".parquet"
DESCRIPTION = (
    "parquet files; images as bytes, {bytes, path} or paths; train-00000.parquet is a split"
)
KEPT_GROUPS = 4
"""Row groups kept in memory. Reading in shuffled order is slow where groups are many and large."""


def detect(path: Path) -> bool:
    return has_tables(path, (SUFFIX,)) if path.is_file() else bool(_files(path))


def read(path: Path, on_error: OnError) -> "ParquetDataset":
    """All rows of all files; a row group is read when one of its rows is asked for."""
    parts: list[_Part] = []
    rows: list[tuple[int, int]] = []
    splits: list[str | None] = []
    ids = UniqueIds()
    groups = _Groups()
    for file in _files(path):
        try:
            part = _Part(file, groups)
            known = part.ids_and_splits()
        except DataError as error:
            on_error(error)
            continue
        for row, (identity, name) in enumerate(known):
            try:
                if identity is not None:
                    ids.claim(identity, part.source(row))
            except DataError as error:
                on_error(error)
                continue
            rows.append((len(parts), row))
            splits.append(name)
        parts.append(part)
    return ParquetDataset(parts, rows, splits)


class ParquetDataset:
    """Rows of parquet files. Safe to use from several threads."""

    def __init__(
        self, parts: "list[_Part]", rows: list[tuple[int, int]], splits: list[str | None]
    ) -> None:
        self._parts = parts
        self._rows = rows
        self.splits = splits

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Sample]:
        return (self[row] for row in range(len(self)))

    def __getitem__(self, index: int, /) -> Sample:
        part, row = self._rows[index]
        return self._parts[part].sample(row)


class _Groups:
    """The row groups read last, over all files."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tables: collections.OrderedDict[tuple[Path, int], Any] = collections.OrderedDict()

    def get(self, path: Path, group: int, read: Callable[[int], Any]) -> Any:
        key = (path, group)
        with self._lock:
            if key not in self._tables:
                self._tables[key] = read(group)
                if len(self._tables) > KEPT_GROUPS:
                    self._tables.popitem(last=False)
            self._tables.move_to_end(key)
            return self._tables[key]


class _Part:
    """One file: what its columns mean, and its row groups as they are needed."""

    def __init__(self, path: Path, groups: _Groups) -> None:
        import pyarrow
        import pyarrow.parquet

        self._path = path
        # A damaged file makes pyarrow raise these as well.
        damaged = (ValueError, OverflowError, MemoryError, RecursionError)
        self._errors = (pyarrow.ArrowException, OSError, *damaged)
        try:
            open_file(path).close()  # not a pipe, at which pyarrow would wait
            self._file = pyarrow.parquet.ParquetFile(path)
            first = next(self._file.iter_batches(batch_size=1), None)
        except self._errors as error:
            raise self._unreadable(error) from None
        rows = [] if first is None else first.to_pylist()
        self._names = usual_names({name: name for name in self._file.schema_arrow.names})
        rows = [self._usual(row) for row in rows]
        self._columns = Columns(rows or [dict.fromkeys(self._names)], str(path))
        metadata = self._file.metadata
        counts = [metadata.row_group(n).num_rows for n in range(metadata.num_row_groups)]
        self._starts = list(itertools.accumulate(counts, initial=0))[:-1]
        self._rows = sum(counts)
        self._split = known_split(path.stem)
        self._classes = _class_names(self._file.schema_arrow.metadata or {})
        self._pictures = self._picture_folder(rows)
        self._groups = groups

    def source(self, row: int) -> str:
        return f"{self._path}:{row}"

    def ids_and_splits(self) -> list[tuple[str | None, str | None]]:
        """The id and split of every row (None where it has none), without its other columns."""
        present = [self._names[name] for name in ("id", "split") if name in self._names]
        if not present:
            return [(None, self._split)] * self._rows
        try:
            table = self._file.read(columns=present).to_pylist()
        except self._errors as error:
            raise self._unreadable(error) from None
        rows = [self._usual(row) for row in table]
        return [(cell(row, "id"), self._split_of(row)) for row in rows]

    def _split_of(self, row: dict[str, Any]) -> str | None:
        named = cell(row, "split")
        return self._split if named is None else split_name(named)

    def _usual(self, row: dict[str, Any]) -> dict[str, Any]:
        """The row with its columns under their usual names."""
        return {usual: row[name] for usual, name in self._names.items() if name in row}

    def sample(self, row: int) -> Sample:
        source = self.source(row)
        columns = self._usual(self._row(row))
        for column, classes in self._classes.items():
            number = columns.get(column)
            if isinstance(number, int) and 0 <= number < len(classes):
                columns[column] = classes[number]
        self._columns.check(columns, source)
        image, name = self._image(columns, source)
        identity = cell(columns, "id") or f"{self._path.stem}-{row}"
        columns["split"] = self._split_of(columns)
        return row_sample(
            self._columns, columns, image, identity=identity, picture=name, source=source
        )

    def _image(self, columns: dict[str, Any], source: str) -> tuple[Any, str | None]:
        """The picture and what it is known by. Hugging Face stores {bytes, path} with either one null.

        A picture that is stored in the file is known by its bytes: the path beside them is often a mere
        name, that other pictures have too.
        """
        if self._columns.image is None:
            return None, None
        value = columns[self._columns.image]
        if isinstance(value, dict):
            value = value.get("path") if value.get("bytes") is None else value["bytes"]
        if value is None:
            return None, None
        if isinstance(value, bytes):
            return value, hashlib.blake2b(value, digest_size=16).hexdigest()
        return picture_path(self._pictures, value, self._columns.image, source), str(value)

    def _picture_folder(self, rows: list[dict[str, Any]]) -> Path:
        names = [row.get(self._columns.image or "") for row in rows]
        known = [name for name in names if isinstance(name, str)]
        return picture_folder((self._path.parent / "images", self._path.parent), known)

    def _row(self, row: int) -> dict[str, Any]:
        group = bisect.bisect_right(self._starts, row) - 1
        try:
            table = self._groups.get(self._path, group, self._file.read_row_group)
        except self._errors as error:
            raise self._unreadable(error, row) from None
        columns: dict[str, Any] = table.slice(row - self._starts[group], 1).to_pylist()[0]
        return columns

    def _unreadable(self, error: Exception, row: int | None = None) -> DataError:
        reason = " ".join(str(getattr(error, "strerror", None) or error).split())
        source = str(self._path) if row is None else self.source(row)
        return DataError(f"is not readable as parquet: {reason:.200}", source=source)


def _class_names(metadata: dict[bytes, bytes]) -> dict[str, list[str]]:
    """Column -> class names, where Hugging Face stored the labels as numbers."""
    try:
        features = json.loads(metadata[b"huggingface"])["info"]["features"]
        return {
            name: [str(each) for each in feature["names"]]
            for name, feature in features.items()
            if isinstance(feature, dict)
            and feature.get("_type") == "ClassLabel"
            and isinstance(feature.get("names"), list)
        }
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError):
        return {}


def _files(path: Path) -> list[Path]:
    """The file, or the parquet files in the folder or in its data/."""
    if path.is_file():
        return [path]
    there = [file for file in named(path, f"*{SUFFIX}") if has_tables(file, (SUFFIX,))]
    return there or named(path / "data", f"*{SUFFIX}")
