"""Recordings of spoken digits, each with a generated picture of its digit."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from weft.core.errors import DataError
from weft.core.media import Media
from weft.core.ranges import at_least, require
from weft.core.samples import Sample, group_key
from weft.data.formats import Dataset, columns_of
from weft.data.policy import ErrorPolicy
from weft.data.sources import DataSource, FilesConfig
from weft.worlds.digits.drawing import draw_digit


@dataclass(frozen=True)
class DrawnDigitsConfig(DataSource):
    """The rows of a data set of spoken digits, each with a generated picture of its digit."""

    recordings: FilesConfig = field(default_factory=lambda: FilesConfig(Path("fsdd")))
    """Rows with a column `digit`."""
    size: int = 32
    """Side of a picture in pixels."""
    seed: int = 0
    """Seed of the pictures."""

    def __post_init__(self) -> None:
        require(self, size=at_least(8, 4096), seed=at_least(0))

    @property
    def words(self) -> str:
        return f"{self.recordings.words} with drawn digits"

    def kept(self, folder: Path) -> DataSource:  # noqa: ARG002
        return replace(self, recordings=self.recordings.absolute())

    def open(self, split: str | None, errors: ErrorPolicy | None = None) -> Dataset:
        return _WithPictures(self.recordings.open(split, errors), self)


class _WithPictures(Sequence[Sample]):
    def __init__(self, rows: Dataset, config: DrawnDigitsConfig) -> None:
        known = columns_of(rows)
        # If the columns of the recordings are unknown, so are those of these rows.
        self.known_columns = replace(known, items=known.items and (*known.items, "image"))
        self._rows, self._config = rows, config

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Sample:  # type: ignore[override]
        sample = self._rows[index]
        digit = str(sample.items.get("digit"))
        if digit not in "0123456789" or len(digit) != 1:
            raise DataError(f"digit is '{digit}', expected 0 to 9", source=sample.source)
        seed = (self._config.seed, group_key(sample.id) % 2**63)
        picture = partial(draw_digit, int(digit), self._config.size, seed)
        return replace(sample, items={**sample.items, "image": Media.array_of(picture, "image")})
