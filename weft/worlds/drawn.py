"""Base classes of the generated worlds: rows that are generated on access, and a data source with splits."""

import functools
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from weft.core.config import Settings
from weft.core.errors import WeftError, unknown_name
from weft.core.samples import Sample
from weft.data.formats import Dataset, split_name
from weft.data.policy import ErrorPolicy
from weft.data.sources import DataSource, once


class DrawnRows(Sequence[Sample], ABC):
    """A sequence of samples that are generated on access."""

    what: ClassVar[str] = "rows"
    """The noun for its rows in messages."""
    kept: ClassVar[int] = 16
    """Number of generated rows in the cache. A loader reads a row once for each of its streams, from a few threads."""

    def __init__(self, *made_of: Any) -> None:
        """made_of: the arguments of the class, with which another process generates the same rows."""
        self._made_of = made_of
        self._row = functools.lru_cache(maxsize=self.kept)(self._draw_row)

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def _draw_row(self, index: int) -> Sample:
        """Generates the row with that index, from 0."""

    def __iter__(self) -> Iterator[Sample]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int, /) -> Sample:  # type: ignore[override]
        if not -len(self) <= index < len(self):
            raise IndexError(f"index {index} is out of range for {len(self)} {self.what}")
        return self._row(index % len(self))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self._made_of


@dataclass(frozen=True)
class DrawnSource(DataSource):
    """Rows of a generated world, generated on access. A subclass implements `rows_of`."""

    splits: ClassVar[tuple[str, ...]] = ("train", "validation", "test", "test_heldout")
    least: ClassVar[int] = 1
    """Least number of rows of a split."""

    train: int = 20000
    """Pictures or clips to train on."""
    validation: int = 500
    test: int = 1000
    """Pictures or clips in the split test, and in test_heldout, whose compositions are never trained on."""

    def __post_init__(self) -> None:
        for name in ("train", "validation", "test"):
            if vars(self)[name] < self.least:
                raise ValueError(f"{name} is {vars(self)[name]}, expected at least {self.least}")

    def open(self, split: str | None, errors: ErrorPolicy | None = None) -> Dataset:  # noqa: ARG002
        if split is None:
            raise WeftError(
                f"a generated world has no fixed number of rows: name a split, one of {', '.join(self.splits)}"
            )
        name = split_name(split)
        if name not in self.splits:
            raise unknown_name("split", split, self.splits)
        count = vars(self)[name.removesuffix("_heldout")]
        return once(f"{self!r} {name}", lambda: self.rows_of(name, count))

    def rows_of(self, split: str, count: int) -> Dataset:
        """Returns the rows of `count` pictures or clips of that split."""
        raise NotImplementedError


def check_ranges(ranges: Mapping[str, tuple[float, float, float]]) -> None:
    """Raises ValueError for a number out of its range. ranges: name -> (number, lowest, highest)."""
    for name, (value, low, high) in ranges.items():
        if not low <= value <= high:
            raise ValueError(f"{name} is {value}, expected {low} to {high}")


def check_names(
    settings: Settings,
    known: Mapping[str, Sequence[str]],
    *,
    optional: Sequence[str] = (),
    repeated: Sequence[str] = (),
) -> None:
    """Raises ValueError unless each of these settings holds one or more of the known names, each once.

    optional: settings that may hold none. repeated: settings that may hold a name more than once.
    """
    for name, all_of in known.items():
        given = vars(settings)[name]
        none = not given and name not in optional
        twice = len(set(given)) != len(given) and name not in repeated
        if none or not set(given) <= set(all_of) or twice:
            once = "" if name in repeated else ", each once"
            expected = f"one or more of {', '.join(all_of)}{once}"
            raise ValueError(f"{name} is {given}, expected {expected}")
