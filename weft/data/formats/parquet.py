"""Parquet files, as in Hugging Face data sets and elsewhere."""

import bisect
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from weft.core.errors import DataError
from weft.core.kinds import COLUMN_KINDS, Kind, kind_of, suffix_of
from weft.core.media import Media
from weft.core.missing import is_missing
from weft.core.samples import Sample
from weft.data.formats._columns import (
    PROBED_ROWS,
    Columns,
    cell,
    is_text_column,
    usual_names,
)
from weft.data.formats._files import named
from weft.data.formats._find import Finder
from weft.data.formats._forms import Forms, forms_of
from weft.data.formats._parquet_cells import ParquetCell, digests, opened
from weft.data.formats._rows import (
    KnownColumns,
    OnError,
    UniqueIds,
    known_split,
    split_name,
)
from weft.data.formats._said import NOTHING_SAID, ROLES, Said
from weft.data.formats._table_samples import (
    called,
    files_of,
    folders_of,
    names_in,
    row_sample,
    without_blanks,
)
from weft.data.formats._tables import has_tables

NAME = "parquet"
SUFFIX = ".parquet"
NO_LABEL = -1
"""The value that Hugging Face writes for a row without a class, as in test splits."""
DESCRIPTION = (
    "parquet files; images as bytes, {bytes, path} or paths; train-00000.parquet is a split"
)


def detect(path: Path) -> bool:
    return has_tables(path, (SUFFIX,)) if path.is_file() else bool(_files(path))


def read(path: Path, on_error: OnError, said: Said = NOTHING_SAID) -> "ParquetDataset":
    """Returns all rows of all files. The bytes in a cell are read on request.

    Rows with pictures stored in the file are about the same picture if the bytes are equal. The bytes are compared
    once, and not at all if every picture has a name of its own.
    """
    parts: list[_Part] = []
    for file in _files(path):
        try:
            parts.append(_Part(file, said))
        except DataError as error:
            on_error(error)
    _read_alike(parts, said)
    names = [name for part in parts for name in part.known_as]
    if None in names or len(set(names)) < len(names):
        parts = [part for part in parts if _know_by_content(part, on_error)]
    rows: list[tuple[int, int]] = []
    splits: list[str | None] = []
    ids = UniqueIds()
    for number, part in enumerate(parts):
        for row, (identity, split) in enumerate(part.ids_and_splits):
            try:
                if identity is not None:
                    ids.claim(identity, part.source(row))
            except DataError as error:
                on_error(error)
                continue
            rows.append((number, row))
            splits.append(split)
    return ParquetDataset(parts, rows, splits)


class ParquetDataset:
    """Rows of parquet files. Safe to use from several threads."""

    def __init__(
        self, parts: "list[_Part]", rows: list[tuple[int, int]], splits: list[str | None]
    ) -> None:
        self._parts = parts
        self._rows = rows
        self.splits = splits
        self.known_columns = parts[0].known() if parts else KnownColumns()

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Sample]:
        return (self[row] for row in range(len(self)))

    def __getitem__(self, index: int, /) -> Sample:
        part, row = self._rows[index]
        return self._parts[part].sample(row)


class _Part:
    """One file and the meaning of its columns. Raises DataError if it cannot be read.

    ids_and_splits: of every row, None where it has none. known_as: of every row, for pictures stored in the file: the
    picture's name or the digest of its bytes.
    """

    def __init__(self, path: Path, said: Said) -> None:
        self.path = path
        self.file = opened(path)
        said.require(self.file.columns, str(path))
        self._split = known_split(path.stem)
        self._names = usual_names(said.row({name: name for name in self.file.columns}))
        self._told = _told(self.file.metadata)
        self._stored = {
            u: self.file.stored[n] for u, n in self._names.items() if n in self.file.stored
        }
        small = [name for name in self._names.values() if name not in self.file.stored]
        self._leaves = [*small, *(".".join(s.name) for s in self._stored.values() if s.name)]
        rows = [self._small(row) for row in range(min(PROBED_ROWS, self.file.first_rows))]
        self._folders = folders_of(path.parent, said)
        kinds = {name: self._kind(name) for name in self._stored}
        self._columns = Columns(
            rows or [dict.fromkeys(self._names)], self._folders, said=said, stored=kinds
        )
        self._finders = {
            name: Finder(self._folders, names_in(rows, name), said=said.images_dir is not None)
            for name in self._columns.kinds
        }
        self.forms = Forms()
        self.picture = self._stored.get(self._columns.image or "")
        self.ids_and_splits = self._ids_and_splits()
        self.known_as: Sequence[str | None] = self._names_of_pictures()

    def known(self) -> KnownColumns:
        sought = {name: each.folder for name, each in self._finders.items()}
        return self._columns.known(sought, self.forms.notes, self.forms.said)

    @property
    def names(self) -> Mapping[str, str]:
        """Maps columns of strings to their names in the file, without texts and names of files."""
        left_out = (*self._columns.kinds, *ROLES)
        return {
            usual: name
            for usual, name in self._names.items()
            if name in self.file.texts and usual not in left_out and not is_text_column(usual)
        }

    def values(self, name: str) -> list[Any]:
        """Returns the values of a column of `names` in every row; None if the file has no such column."""
        in_file = self.names.get(name)
        if in_file is None:
            return [None] * self.file.rows
        return [without_blanks(row[in_file]) for row in self.file.table([in_file])]

    def source(self, row: int) -> str:
        return f"{self.path}:{row}"

    def sample(self, row: int) -> Sample:
        source = self.source(row)
        columns = self._row(row)
        for column, classes in self._told.classes.items():
            number = columns.get(column)
            if number == NO_LABEL:
                columns[column] = None
            elif isinstance(number, int) and number not in range(len(classes)):
                reason = f"column '{column}' is {number}, expected 0 to {len(classes) - 1}, a class"
                raise DataError(reason, source=source)
            elif isinstance(number, int):
                columns[column] = classes[number]
        for name, form in self.forms.of.items():
            if form.kind and name in columns:
                columns[name] = form.cell(columns[name])
        self._columns.check(columns, source)
        media = {
            name: self._media(name, kind, row, columns[name])
            for name, kind in self._columns.kinds.items()
            if not is_missing(columns.get(name))
        }
        identity = cell(columns, "id") or f"{self.path.stem}-{row}"
        picture = self._picture_of(columns, row)
        columns["split"] = self._split_of(columns)
        return row_sample(
            self._columns, columns, media, identity=identity, picture=picture, source=source
        )

    def _media(self, name: str, kind: Kind, row: int, value: Any) -> Media | list[Media]:
        """Returns the Media of the cell itself, or of the files that it names."""
        if isinstance(value, _InFile):
            kind = kind_of(value.name or "") if kind == "file" else kind
            place = ParquetCell(self.path, row, self._stored[name].data)
            return Media(kind, place, suffix_of(value.name or ""))
        known_as = self._columns.known_as(name)
        return files_of(self._finders[name], value, known_as, kind, self.source(row))

    def _picture_of(self, columns: Mapping[str, Any], row: int) -> str | None:
        """Returns the identity of the row's picture. Rows about one picture belong together."""
        value = columns.get(self._columns.image or "")
        if isinstance(value, _InFile):
            return self.known_as[row]
        return None if value is None else called(value)

    def _row(self, row: int) -> dict[str, Any]:
        """Returns the columns under their usual names, with a mark in place of stored bytes."""
        columns = self._small(row)
        for name, stored in self._stored.items():
            within = columns.get(name)
            path = within.get("path") if isinstance(within, dict) else None
            if self.file.has(stored, row):
                columns[name] = _InFile(path if isinstance(path, str) else None)
            else:
                columns[name] = path
        return columns

    def _small(self, row: int) -> dict[str, Any]:
        """The same, but for a cell of bytes only the fields beside them."""
        values = self.file.cells(self._leaves, row)
        return {u: without_blanks(values[n]) for u, n in self._names.items() if n in values}

    def _ids_and_splits(self) -> list[tuple[str | None, str | None]]:
        present = [self._names[name] for name in ("id", "split") if name in self._names]
        if not present:
            return [(None, self._split)] * self.file.rows
        table = self.file.table(present)
        rows = [{u: row[n] for u, n in self._names.items() if n in row} for row in table]
        return [(cell(row, "id"), self._split_of(row)) for row in rows]

    def _names_of_pictures(self) -> list[str | None]:
        if self.picture is None:
            return []
        if self.picture.name is None:
            return [None] * self.file.rows
        found = [
            row[self.picture.name[0]] for row in self.file.table([".".join(self.picture.name)])
        ]
        paths = [None if value is None else value.get("path") for value in found]
        return [path if isinstance(path, str) else None for path in paths]

    def _split_of(self, row: Mapping[str, Any]) -> str | None:
        said = cell(row, "split")
        return self._split if said is None else split_name(said)

    def _kind(self, name: str) -> Kind:
        """Returns the kind of a column of bytes: Hugging Face's, or by its name (image, audio, jpg, ...)."""
        called: dict[str, Kind] = {kind: kind for kind in COLUMN_KINDS}
        return self._told.kinds.get(name) or called.get(name) or kind_of(f"x.{name}")


class _InFile(NamedTuple):
    """Marks a cell that holds the bytes of a file. name: of that file."""

    name: str | None


def _read_alike(parts: Sequence[_Part], said: Said) -> None:
    """Judges each column of strings by its values in all files, and sets how its cells are parsed."""
    names = {name: in_file for part in parts for name, in_file in part.names.items()}
    starts = list(itertools.accumulate((part.file.rows for part in parts), initial=0))

    def source(place: int) -> str:
        number = bisect.bisect_right(starts, place) - 1
        return parts[number].source(place - starts[number])

    columns = ((name, [v for part in parts for v in part.values(name)]) for name in names)
    forms = forms_of(columns, source, said, names)
    for part in parts:
        part.forms = forms


def _know_by_content(part: _Part, on_error: OnError) -> bool:
    """Identifies the part's pictures by their bytes. Returns whether the part can be read to its end."""
    if part.picture is not None:
        try:
            part.known_as = digests(part.file, part.picture)
        except DataError as error:
            on_error(error)
            return False
    return True


class _Told(NamedTuple):
    """Hugging Face's metadata about columns: the class names behind numbers, and kinds of files."""

    classes: dict[str, list[str]]
    kinds: dict[str, Kind]


def _told(metadata: Mapping[bytes, bytes]) -> _Told:
    told = _Told({}, {})
    kinds: dict[str, Kind] = {kind.capitalize(): kind for kind in COLUMN_KINDS}
    try:
        features = json.loads(metadata[b"huggingface"])["info"]["features"].items()
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError):
        return told
    for name, feature in features:
        what = feature.get("_type") if isinstance(feature, dict) else None
        if what == "ClassLabel" and isinstance(feature.get("names"), list):
            told.classes[name] = [str(each) for each in feature["names"]]
        elif isinstance(what, str) and what in kinds:
            told.kinds[name] = kinds[what]
    return told


def _files(path: Path) -> list[Path]:
    """Returns the file itself, or the parquet files in the folder or in its data/."""
    if path.is_file():
        return [path]
    there = [file for file in named(path, f"*{SUFFIX}") if has_tables(file, (SUFFIX,))]
    return there or named(path / "data", f"*{SUFFIX}")
