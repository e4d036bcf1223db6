"""One cell of a table: a number, a category, several tags or a date -> a vector by a fixed encoding."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from weft.core.cells import Labels, Merge, label_of, labels_of, number_of, unit_of
from weft.core.config import Config
from weft.core.dates import WEEK, YEAR, date_text, days_of
from weft.core.display import Display, Word
from weft.core.errors import WeftError, brief
from weft.core.interfaces import Modality
from weft.core.ranges import COUNT, require
from weft.core.records import Field

CellKind = Literal["number", "category", "tags", "date"]
QUANTILES = 33
FARTHEST = 5.0
"""Limit of a number's distance from the mean in standard deviations: in a column that was nearly constant in
training, any other value would outweigh everything else."""


class Cell:
    """The modality of small values. Their scales are learned from the training rows.

    - number: its distance from the mean in standard deviations, at most 5, and its position among the training values
      in [-1, 1] (piecewise linear between quantiles), which outliers cannot stretch.
    - category, tags: 1 at the position of each present value, 0 elsewhere; the last position is for unknown ones.
    - date: days from the mean in standard deviations, and the sine and cosine of year, week and day.
    """

    def __init__(self, config: "CellConfig") -> None:
        self.config = config
        self._labels = Labels(config.names, config.merge)
        self._mean, self._std, self._unit = 0.0, 1.0, ""
        self._quantiles = np.linspace(-1, 1, QUANTILES)

    @property
    def dim(self) -> int:
        """Width D of the vector."""
        kind = self.config.kind
        return {"number": 2, "date": 7}.get(kind, len(self._labels) + 1)

    @property
    def names(self) -> tuple[str, ...]:
        """The categories or tags that were learned, the most frequent first."""
        return self._labels.names

    def decode(self, raw: Any) -> Any:
        """Returns a float, names or days since 1970. Raises WeftError if the value is of another kind."""
        kind = self.config.kind
        if kind == "number":
            return number_of(raw, self._unit)
        if kind == "date":
            return days_of(raw)
        if kind == "category" or isinstance(raw, str):
            return (label_of(raw),)
        found = labels_of(raw)
        if not found:
            raise WeftError(f"is {brief(raw)}, expected tags")
        return found

    def transform(
        self,
        item: Any,
        *,
        train: bool,  # noqa: ARG002
        generator: torch.Generator,  # noqa: ARG002
        view: int = 0,  # noqa: ARG002
    ) -> Tensor:
        """float32 (D,), the same in training and evaluation."""
        if self.config.kind == "number":
            return torch.tensor(self._number(item), dtype=torch.float32)
        if self.config.kind == "date":
            return torch.tensor(self._date(item), dtype=torch.float32)
        found = torch.zeros(self.dim)
        for name in item:
            place = self._labels.place(name)
            found[len(self._labels) if place is None else place] = 1.0
        return found

    def collate(self, items: Sequence[Tensor]) -> Field:
        """Field of float32 (B, D) without a mask."""
        return Field(torch.stack(tuple(items)))

    def parts(self, field: Field) -> Tensor:
        """(B, 1) bool, all True: a cell is removed as a whole."""
        return torch.ones(len(field), 1, dtype=torch.bool, device=field.values.device)

    def without(self, field: Field, gone_BP: Tensor) -> Field:
        return Field(field.values.masked_fill(gone_BP, 0), present=field.present)

    def layout(self, field: Field, tokens: int | None = None) -> tuple[int, ...] | None:  # noqa: ARG002
        return (1,) if tokens in (None, 1) else None

    def show(self, raw: Any) -> Display:
        """The value as text."""
        return Display(words=(Word(", ".join(raw) if isinstance(raw, list) else str(raw)),))

    def weighed(self, field: Field, weights: Tensor) -> Display:
        """Displays the value that the row's vector encodes."""
        values = field.values[0].tolist()
        if self.config.kind in ("category", "tags"):
            names = (*self.names, "another")
            said = ", ".join(n for n, v in zip(names, values, strict=True) if v) or "nothing"
        else:
            number = self._mean + self._std * values[0]
            said = (
                f"{number:.4g} {self._unit}".rstrip()
                if self.config.kind == "number"
                else date_text(number)
            )
        return Display(words=(Word(said, float(weights.flatten()[0])),))

    def fit(self, raws: Iterable[Any]) -> None:
        """Learns from the values of the right kind. Raises WeftError if there are none."""
        items, first_error = [], None
        for raw in raws:
            self._unit = self._unit or (unit_of(raw) if self.config.kind == "number" else "")
            try:
                items.append(self.decode(raw))
            except WeftError as error:
                first_error = first_error or error
        if not items:
            raise first_error or WeftError(f"no training row has a {self.config.kind}")
        if self.config.names:
            return
        if self.config.kind in ("category", "tags"):
            counts = Counter(name for names in items for name in set(names))
            self._labels = self._labels.most_frequent(
                counts, self.config.most, self.config.min_rows
            )
            return
        values = np.array(items, dtype=np.float64)
        self._mean, self._std = float(values.mean()), float(values.std()) or 1.0
        self._quantiles = np.quantile(values, np.linspace(0, 1, QUANTILES))

    def state(self) -> dict[str, Any]:
        return {
            "names": list(self.names),
            "mean": self._mean,
            "std": self._std,
            "unit": self._unit,
            "quantiles": self._quantiles.tolist(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        names: Any = state.get("names")
        numbers: list[Any] = [state.get("mean"), state.get("std"), *(state.get("quantiles") or ())]
        named = isinstance(names, list) and all(isinstance(name, str) for name in names)
        finite = all(isinstance(n, int | float) and math.isfinite(n) for n in numbers)
        if not named or not finite or len(numbers) != 2 + QUANTILES or numbers[1] <= 0:
            raise WeftError(f"its saved names or numbers do not fit a {self.config.kind}")
        self._mean, self._std = float(numbers[0]), float(numbers[1])
        self._unit = str(state.get("unit", ""))  # older runs have none
        self._labels = Labels(names, self.config.merge)
        self._quantiles = np.array(numbers[2:], dtype=np.float64)

    def _number(self, value: float) -> tuple[float, float]:
        # If several quantiles are equal, the value is at the middle of them.
        low = np.searchsorted(self._quantiles, value, side="left")
        high = np.searchsorted(self._quantiles, value, side="right")
        place = float(low + high - 1) / 2
        if low == high and 0 < low < QUANTILES:
            below, above = self._quantiles[low - 1], self._quantiles[low]
            place = float(low - 1 + (value - below) / (above - below))
        place = min(max(place, 0.0), QUANTILES - 1.0)
        distance = min(max((value - self._mean) / self._std, -FARTHEST), FARTHEST)
        return distance, 2 * place / (QUANTILES - 1) - 1

    def _date(self, days: float) -> list[float]:
        cycles = [2 * math.pi * days / length for length in (YEAR, WEEK, 1.0)]
        waves = [wave(angle) for angle in cycles for wave in (math.sin, math.cos)]
        return [(days - self._mean) / self._std, *waves]


@dataclass(frozen=True)
class CellConfig(Config[Modality]):
    """A number, a category, several tags or a date for each row."""

    kind: CellKind = "number"
    """Kind of the cells' values."""
    names: tuple[str, ...] = ()
    """The categories or tags, in order. If empty, they are learned from the training rows."""
    most: int = 64
    """Maximum number of categories or tags with a position of their own, the most frequent ones."""
    min_rows: int = 2
    """Minimum number of training rows for a category or tag with a position of its own."""
    merge: tuple[Merge, ...] = ()
    """Differences that two spellings of one category or tag may have: case, blanks."""

    def __post_init__(self) -> None:
        require(self, most=COUNT, min_rows=COUNT)

    def build(self) -> Cell:
        return Cell(self)
