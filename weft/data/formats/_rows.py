"""Shared by all formats: data sets, splits, ids, paths of pictures, error handling."""

import bisect
import itertools
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from weft.core.errors import DataError, WeftError, unknown_name
from weft.core.kinds import kind_of
from weft.core.media import Media
from weft.core.names import present
from weft.core.samples import Sample

OnError = Callable[[DataError], None]
"""Called with each unusable row's error. It raises, or returns to leave the row out."""

SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "dev": "validation",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}
_SPLIT_FOLDER = re.compile(rf"({'|'.join(SPLIT_NAMES)})([-_. ]*(\d+|set|data|images|split))*")


class Dataset(Protocol):
    """A sequence of samples whose bytes are read when a sample is asked for."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Sample: ...

    def __iter__(self) -> Iterator[Sample]: ...


@runtime_checkable
class KnowsSplits(Protocol):
    """A data set that knows the split of every row without reading the rows."""

    splits: Sequence[str | None]


@runtime_checkable
class KnowsColumns(Protocol):
    """A data set that knows the columns of its files.

    known_columns: the columns that become items, also if no row has a value.
    """

    known_columns: "KnownColumns"


@dataclass(frozen=True)
class KnownColumns:
    """items: the item names of the columns. meanings: `image`, `text`, `group`, ... -> the column's name in the file.
    notes: item -> remarks for the user about how it was read. without_files: item -> the remark that it names files of
    which none is there. sought: item -> the folder where its files are sought. forms: the column's name in the file -> how its numbers or dates are written, if new rows alone may be
    ambiguous: decimal-comma, day-first, ..."""

    items: tuple[str, ...] = ()
    meanings: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)
    sought: Mapping[str, Path] = field(default_factory=dict)
    forms: Mapping[str, str] = field(default_factory=dict)
    without_files: Mapping[str, str] = field(default_factory=dict)


class TableRows(list[Sample]):
    """The rows of tables, with what is known about their columns."""

    def __init__(self, rows: Iterable[Sample] = (), known: KnownColumns | None = None) -> None:
        super().__init__(rows)
        self.known_columns = known or KnownColumns()


def columns_of(dataset: Dataset) -> KnownColumns:
    """Returns what is known about the columns; empty if the data set does not say."""
    return dataset.known_columns if isinstance(dataset, KnowsColumns) else KnownColumns()


class Subset(Sequence[Sample]):
    """The rows with these numbers. splits: one for each of them; by default those that the rows have."""

    def __init__(
        self, dataset: Dataset, rows: Sequence[int], splits: Sequence[str | None] | None = None
    ) -> None:
        self.known_columns = columns_of(dataset)
        self._dataset = dataset
        self._rows = list(rows)
        self._given = splits is not None
        known = splits_of(dataset) if splits is None else []
        self.splits = [known[row] for row in rows] if splits is None else list(splits)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Sample:  # type: ignore[override]
        sample = self._dataset[self._rows[index]]
        if not self._given:
            return sample
        return replace(sample, items={**sample.items, "split": self.splits[index]})


def spread(dataset: Dataset, most: int | None) -> Dataset:
    """Returns at most `most` rows, evenly spread because many data sets are sorted; all rows for None."""
    if most is None or most >= len(dataset):
        return dataset
    return Subset(dataset, spread_rows(len(dataset), most))


def spread_rows(rows: int, most: int | None) -> list[int]:
    """Returns at most `most` of the row numbers, evenly spread over all; all for None."""
    count = rows if most is None else min(rows, most)
    return [place * rows // count for place in range(count)]


class Chained(Sequence[Sample]):
    """The rows of several data sets, one after another."""

    def __init__(self, datasets: Sequence[Dataset]) -> None:
        self.known_columns = columns_of(datasets[0])
        self.splits = [split for dataset in datasets for split in splits_of(dataset)]
        self._datasets = list(datasets)
        self._ends = list(itertools.accumulate(map(len, datasets)))

    def __len__(self) -> int:
        return self._ends[-1]

    def __getitem__(self, index: int) -> Sample:  # type: ignore[override]
        place = range(len(self))[index]
        number = bisect.bisect(self._ends, place)
        return self._datasets[number][place - (self._ends[number - 1] if number else 0)]


def raise_error(error: DataError) -> None:
    """The strict way to handle a bad row."""
    raise error


def split_name(name: str) -> str:
    """Returns the project's name for a split: train, validation, test. Any other name stays."""
    return SPLIT_NAMES.get(name.strip().lower(), name.strip())


def known_split(name: str) -> str | None:
    """Returns the split that a file name such as `val`, `train-0001` or `test_2` names."""
    for end in range(len(name), 0, -1):
        if (end == len(name) or not name[end].isalpha()) and name[:end].lower() in SPLIT_NAMES:
            return split_name(name[:end])
    return None


def folder_split(name: str) -> str | None:
    """Returns the split that a folder name such as `val`, `train2017` or `test_set` names.

    Names that merely begin like one (`train station`) may be classes.
    """
    found = _SPLIT_FOLDER.fullmatch(name.strip().lower())
    return None if found is None else SPLIT_NAMES[found[1]]


def splits_of(dataset: Dataset) -> list[str | None]:
    """Returns the split of every row; None for a row without one."""
    if isinstance(dataset, KnowsSplits):
        return list(dataset.splits)
    return [sample.items.get("split") for sample in dataset]


def rows_of_split(splits: Sequence[str | None], split: str, path: Path) -> list[int]:
    """Returns the row numbers of `split`. Raises WeftError that lists the existing splits."""
    wanted = split_name(split)
    chosen = [row for row, name in enumerate(splits) if name == wanted]
    if not chosen:
        known = {name for name in splits if name is not None}
        if not known:
            raise WeftError(f"{path}: has no splits, got split '{split}', expected none")
        raise WeftError(f"{path}: {unknown_name('split', split, known)}")
    return chosen


def picture_folder(candidates: Sequence[Path], names: Iterable[str]) -> Path:
    """Returns the candidate that holds the pictures, judged by the first hundred names, in any case of letters.

    If none of the names exists anywhere, returns the first candidate that is a folder. Its missing pictures are then
    reported one by one when they are read.
    """
    candidates = [found for folder in candidates for found in _in_any_case(folder)]
    for _, name in zip(range(100), names, strict=False):
        for folder in candidates:
            if os.path.exists(present(folder / name)):  # unlike Path.exists, False for bad names
                return folder
    return next((folder for folder in candidates if folder.is_dir()), candidates[0])


def _in_any_case(folder: Path) -> list[Path]:
    """Returns the folder, or those beside it whose names differ only in case."""
    if folder.is_dir() or not folder.parent.is_dir():
        return [folder]
    name = folder.name.lower()
    there = sorted(path for path in folder.parent.iterdir() if path.name.lower() == name)
    return [path for path in there if path.is_dir()] or [folder]


class UniqueIds:
    """Detects ids that two rows share."""

    def __init__(self) -> None:
        self._sources: dict[str, str] = {}
        self._repeats: dict[str, int] = {}

    def claim(self, identity: str, source: str) -> None:
        """Raises DataError with both places if `identity` is already taken."""
        first = self._sources.setdefault(identity, source)
        if first != source:
            raise DataError(f"id '{identity}' is already used at {first}", source=source)

    def of_row(self, given: str | None, name: str, source: str) -> str:
        """Returns the id `given`, else `name`, and `name#1`, `name#2`, ... for further rows of one picture."""
        if given is not None:
            self.claim(given, source)
            return given
        identity = name
        while self._sources.setdefault(identity, source) != source:
            self._repeats[name] = self._repeats.get(name, 0) + 1
            identity = f"{name}#{self._repeats[name]}"
        return identity


def missing_files(samples: Iterable[Sample]) -> Iterator[DataError]:
    """Yields an error for each file that `samples` name and that does not exist."""
    for sample in samples:
        for name, value in sample.items.items():
            path = value.path if isinstance(value, Media) else None
            if path is not None and not os.path.isfile(path):
                yield DataError(f"{name} file {path} does not exist", source=sample.source)


def is_picture(name: Any) -> bool:
    """Whether this is the name of a picture file, as its suffix says."""
    return isinstance(name, str) and kind_of(name) == "image"
