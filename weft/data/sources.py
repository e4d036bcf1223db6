"""Where a recipe's rows come from: files in any known format."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol, runtime_checkable

from weft.core.config import Config
from weft.core.errors import DataError, WeftError, unknown_name
from weft.core.records import Sample
from weft.data.formats import Dataset, address_of, open_dataset, split_name
from weft.data.prepare.split import TEST, TRAIN, VALIDATION, SplitConfig, hashed_split


@runtime_checkable
class DataSource(Protocol):
    """Opens the rows of one split, or of all for None. Raises WeftError for an unknown split."""

    def open(self, split: str | None) -> Dataset: ...


@dataclass(frozen=True)
class FilesConfig(Config):
    """Rows from a file or folder in any known format."""

    path: Path
    """A file or folder; `weft list formats` shows what is known."""
    format: str | None = None
    """Name of the format; None detects it."""
    joined: dict[str, Path] = field(default_factory=dict)
    """Further files about the same pictures: their text becomes the item of that name, such as
    text_zh for captions in another language."""

    division: SplitConfig = field(default_factory=SplitConfig)
    """How rows are divided where the data has no splits of its own: by group, by a stable hash."""
    validation_from_train: bool = False
    """Data that has train and test only: divide train, by the same rule, into train and validation."""

    def __post_init__(self) -> None:
        for path in (self.path, *self.joined.values()):
            address_of(path)  # a run keeps this config: no address with a password gets so far

    def open(self, split: str | None) -> Dataset:
        dataset = self._rows(split)
        for name, path in self.joined.items():
            dataset = Joined(dataset, name, open_dataset(path, split=split), str(path))
        return dataset

    def _rows(self, split: str | None) -> Dataset:
        if split is None:
            return open_dataset(self.path, format=self.format)
        if self.validation_from_train and split_name(split) in (TRAIN, VALIDATION):
            train = open_dataset(self.path, split=TRAIN, format=self.format)
            return _divided(train, split_name(split), self.division.replace(test=0.0))
        try:
            return open_dataset(self.path, split=split, format=self.format)
        except WeftError:
            every = open_dataset(self.path, format=self.format)
            if len(every) == 0 or every[0].items.get("split") is not None:
                raise
        name = split_name(split)
        if name not in (TRAIN, VALIDATION, TEST):
            raise unknown_name("split", split, (TRAIN, VALIDATION, TEST))
        return _divided(every, name, self.division)


def _divided(dataset: Dataset, split: str, division: SplitConfig) -> Dataset:
    """The rows whose group the hash puts into `split`."""
    groups = (dataset[n].group for n in range(len(dataset)))
    chosen = [n for n, group in enumerate(groups) if hashed_split(group, division) == split]
    return Subset(dataset, chosen, split)


class Subset(Sequence[Sample]):
    """Some rows of `dataset`, as those of `split`."""

    def __init__(self, dataset: Dataset, rows: Sequence[int], split: str) -> None:
        self._dataset = dataset
        self._rows = list(rows)
        self._split = split

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Sample:  # type: ignore[override]
        sample = self._dataset[self._rows[index]]
        return replace(sample, items={**sample.items, "split": self._split})


class Joined(Sequence[Sample]):
    """The rows of `dataset` with the text of the row of the same group in `other` as item `name`."""

    def __init__(self, dataset: Dataset, name: str, other: Dataset, where: str) -> None:
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
