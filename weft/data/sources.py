"""Where a recipe's rows come from: files in any known format."""

import functools
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from weft.core.config import Settings
from weft.core.distributed import rank
from weft.core.errors import DataError, WeftError, unknown_name
from weft.core.samples import Sample
from weft.data.aligned import Aligned
from weft.data.context import ContextConfig, InContext
from weft.data.exchanged import exchanged
from weft.data.formats import (
    Dataset,
    Said,
    Subset,
    address_of,
    columns_of,
    open_dataset,
    rows_of_split,
    split_name,
    splits_of,
)
from weft.data.hidden import Hidden
from weft.data.policy import ErrorPolicy
from weft.data.prepare.split import (
    TEST,
    TRAIN,
    VALIDATION,
    SplitConfig,
    assign_splits,
    described,
    is_divided,
    leaking_rows,
    lopsided,
)

log = logging.getLogger("weft.data")

BETWEEN = "|"
"""Separator of several values of a column that are held out together."""

_READ: ContextVar[dict[str, Dataset] | None] = ContextVar("read", default=None)


@contextmanager
def read_once() -> Iterator[None]:
    """Inside, a table whose rows can all be read is read only once for all its splits; its files must not change. The
    same holds for the rows of a generated world."""
    token = _READ.set({} if (kept := _READ.get()) is None else kept)
    try:
        yield
    finally:
        _READ.reset(token)


def once(key: str, rows: Callable[[], Dataset]) -> Dataset:
    """Returns the rows. Inside `read_once` a repeated call with the same key returns the same rows."""
    kept = _READ.get()
    if kept is None:
        return rows()
    if key not in kept:
        kept[key] = rows()
    return kept[key]


@dataclass(frozen=True)
class DataSource(Settings):
    """Source of a recipe's rows. A subclass defines how they are opened."""

    def kept(self, folder: Path) -> "DataSource":  # noqa: ARG002
        """Returns the same source as the run in `folder` keeps it, with paths that work in any working folder."""
        return self

    def open(self, split: str | None, errors: ErrorPolicy | None = None) -> Dataset:
        """Opens the rows of one split, or all rows for None. Raises WeftError for an unknown split.

        errors: the policy for rows that cannot be read when the data are opened, such as a line of a table.
        """
        raise NotImplementedError(f"{type(self).__name__} has no open()")

    @property
    def words(self) -> str:
        """Describes the rows for a report."""
        return f"data of {type(self).__name__}"

    @property
    def notes(self) -> tuple[str, ...]:
        """Returns remarks for the user about the rows, such as that they are only a part: sentences without full
        stop."""
        return ()

    @property
    def files(self) -> "FilesConfig | None":
        """Returns the files that the rows are read from; None if they do not come from files."""
        return None


@dataclass(frozen=True)
class FilesConfig(DataSource):
    """Rows from a file or folder in any known format."""

    renamed_settings: ClassVar[Mapping[str, str]] = {"kinds": "columns"}

    path: Path
    """A file or folder. `weft list formats` lists the known formats."""
    format: str | None = None
    """Name of the format; None detects it."""
    columns: dict[str, str] = field(default_factory=dict)
    """Declarations about columns: a meaning and its column (image: Bild, text: Befund, group: Patient), or a column
    and its kind (Preis: number)."""
    images_dir: Path | None = None
    """Folder to which the names of pictures, sounds and videos are relative; None: images/ or a folder such as clips/
    beside the table, or its folder."""
    encoding: str | None = None
    """Encoding of the table's text, such as cp1252 or gbk; None: from the byte-order mark, else UTF-8."""
    forms: dict[str, str] = field(default_factory=dict)
    """Formats of numbers and dates that were found in columns (Preis: decimal-comma). They apply to new rows that are
    ambiguous."""
    joined: dict[str, Path] = field(default_factory=dict)
    """Further files about the same pictures: item -> file whose text becomes that item, such as text_zh for captions
    in another language."""

    division: SplitConfig = field(default_factory=SplitConfig)
    """How rows without a split are divided, and training rows if none are for validation: whole groups, by a stable
    hash."""

    held_out: dict[str, str] = field(default_factory=dict)
    """Column -> value, or several values separated by |. Rows with these values are the test split, whatever split
    the data name; all others are divided into train and validation. Holds out a fold, all rows of a speaker, or
    whole classes."""
    shuffled: dict[str, int] = field(default_factory=dict)
    """Column -> seed. Each value of the column is replaced by another one, the same in all rows. A control: it lowers
    the score of a model that uses the meaning of the values."""
    aligned: tuple[str, ...] = ()
    """Columns with parallel lists, such as a picture's sentences and their translations. Each row becomes one row for
    each list position."""
    hidden: dict[str, str] = field(default_factory=dict)
    """Column of texts -> words, separated by |, that are hidden in all rows. A control: only the other streams can
    tell these words."""

    context: ContextConfig | None = None
    """Adds columns with the values of earlier and later rows of the same group; None: off."""

    def __post_init__(self) -> None:
        for path in (self.path, *self.joined.values()):
            address_of(path)  # refuses passwords: a run keeps this config

    @property
    def words(self) -> str:
        return self.path.name

    @property
    def files(self) -> "FilesConfig":
        return self

    def said(self) -> Said:
        """Returns the user's declarations about the table. Raises WeftError if they are invalid."""
        return Said(self.columns, self.images_dir, self.encoding, forms=self.forms)

    def with_forms(self, dataset: Dataset) -> Self:
        """Returns the same source, with the forms of numbers and dates in the opened rows."""
        return replace(self, forms={**columns_of(dataset).forms, **self.forms})

    def open(self, split: str | None, errors: ErrorPolicy | None = None) -> Dataset:
        dataset = self._rows(split, errors or ErrorPolicy())
        dataset = Aligned(dataset, self.aligned) if self.aligned else dataset
        for name, path in self.joined.items():
            other = _opened(path, None, errors or ErrorPolicy(), Said())
            dataset = Joined(dataset, name, other, str(path))
        for column, seed in self.shuffled.items():
            dataset = exchanged(dataset, column, seed, self.open_every(), str(self.path))
        for column, words in self.hidden.items():
            dataset = Hidden(dataset, column, words.split(BETWEEN))
        return dataset if self.context is None else InContext(dataset, self.context, str(self.path))

    def open_every(self) -> Dataset:
        """Opens all readable rows; nothing is logged about the others."""
        said = self.said()
        every = open_dataset(self.path, format=self.format, said=said, on_error=lambda _: None)
        return Aligned(every, self.aligned) if self.aligned else every

    def kept(self, folder: Path) -> "DataSource":  # noqa: ARG002
        return self.absolute()

    def absolute(self) -> Self:
        """Returns the same source with paths that work in any working folder."""
        joined = {name: _absolute(path) for name, path in self.joined.items()}
        images = None if self.images_dir is None else _absolute(self.images_dir)
        return replace(self, path=_absolute(self.path), joined=joined, images_dir=images)

    def _rows(self, split: str | None, errors: ErrorPolicy) -> Dataset:
        every = _opened(self.path, self.format, errors, self.said())
        if split is None:
            return every
        given = self._held_out(every) if self.held_out else splits_of(every)
        if is_divided(given) and not (self.division.redo or self.division.drop_leaks):
            return Subset(every, rows_of_split(given, split, self.path))
        groups = [_group(every, row) for row in range(len(every))]
        clusters: NDArray[np.intp] = np.unique(groups, return_inverse=True)[1]
        assigned = assign_splits(groups, given, clusters, self.division)
        self._require_rows(split, assigned, len(set(groups)))
        chosen = rows_of_split(assigned, split, self.path)
        if self.division.drop_leaks:
            leaking = leaking_rows(assigned, clusters)
            chosen = [row for row in chosen if row not in leaking]
        found = (
            described(given, assigned, self.division),
            lopsided(groups, given, assigned, self.division),
        )
        for line in filter(None, found if rank() == 0 else ()):
            _say(f"{self.path}: {line}")
        return Subset(every, chosen, [assigned[row] for row in chosen])

    def _held_out(self, every: Dataset) -> list[str | None]:
        """Returns TEST for the rows that are held out. Raises WeftError if no row or every row has the values."""
        rows = [[sample.items.get(column) for column in self.held_out] for sample in every]
        same = [True] * len(rows)
        for place, (column, said) in enumerate(self.held_out.items()):
            values = [None if row[place] is None else str(row[place]) for row in rows]
            seen = {value for value in values if value is not None}
            if not seen:
                raise WeftError(f"{self.path}: held_out names column '{column}', which no row has")
            asked = {said} if said in seen else set(said.split(BETWEEN))
            for value in sorted(asked - seen):
                raise WeftError(f"{self.path}: {unknown_name(column, value, seen)}")
            same = [one and value in asked for one, value in zip(same, values, strict=True)]
        given: list[str | None] = [TEST if one else None for one in same]
        if TEST not in given or None not in given:
            raise WeftError(
                f"{self.path}: held_out {self.held_out} leaves {given.count(None)} rows for training and "
                f"{given.count(TEST)} for the test, expected some of each"
            )
        return given

    def _require_rows(self, split: str, assigned: Sequence[str], groups: int) -> None:
        """Raises WeftError if the division by groups leaves a split without rows."""
        wanted = split_name(split)
        shares = {TRAIN: 1.0, VALIDATION: self.division.validation, TEST: self.division.test}
        if shares.get(wanted, 0) > 0 and wanted not in assigned:
            raise WeftError(
                f"{self.path}: {groups:,} groups are too few to divide, none is in the split '{wanted}': write each "
                "row's split in a column 'split', or change --data.source.division.validation, .test or .seed"
            )


def _absolute(path: Path) -> Path:
    return path if address_of(path) is not None else path.absolute()


def _opened(path: Path, format: str | None, errors: ErrorPolicy, said: Said) -> Dataset:
    """Opens all readable rows; the policy decides about the others."""
    kept, key = _READ.get(), repr((path, format, said))
    if kept is not None and key in kept:
        return kept[key]
    bad = errors.build(say=_say)
    dataset = open_dataset(path, format=format, said=said, on_error=bad.add)
    bad.check(len(dataset))
    if kept is not None and not bad.rows:
        kept[key] = dataset
    return dataset


def _group(dataset: Dataset, row: int) -> str:
    """Returns the group of a row. An unreadable row, which its reader reports, is a group of its own."""
    try:
        return dataset[row].group
    except DataError as error:
        return error.source


@functools.cache
def _say(line: str) -> None:
    """Logs a line once in a process, although each split opens the data separately."""
    log.warning(line)


class Joined(Sequence[Sample]):
    """The rows of `dataset`, with the text of the same group's row in `other` as item `name`."""

    def __init__(self, dataset: Dataset, name: str, other: Dataset, where: str) -> None:
        known = columns_of(dataset)
        self.known_columns = replace(known, items=(*known.items, name))
        self._dataset = dataset
        self._name = name
        self._other = other
        self._where = where
        self._places = {other[n].group: n for n in range(len(other))}

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, index: int) -> Sample:  # type: ignore[override]
        sample = self._dataset[index]
        place = self._places.get(sample.group)
        if place is None:
            raise DataError(f"{self._where} has no row of '{sample.group}'", source=sample.source)
        items = {**sample.items, self._name: self._other[place].items["text"]}
        return replace(sample, items=items)
