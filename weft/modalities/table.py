"""Numbers, categories and dates of a table: one token for each column."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from weft.core.cells import Labels, Merge, label_of, number_of, unit_of
from weft.core.config import Config
from weft.core.dates import WEEK, YEAR, date_text, days_of
from weft.core.display import Display, Word
from weft.core.errors import WeftError, brief
from weft.core.interfaces import Modality
from weft.core.missing import is_missing
from weft.core.ranges import COUNT, POSITIVE, require
from weft.core.records import Field
from weft.modalities.parts import TokenParts

PARTS = 8
"""Size of a token: a flag for whether the row has a value, and up to seven numbers for the value."""
UNKNOWN = 0
"""The number of an unknown category."""


@dataclass
class _Learned:
    """For each column: mean and standard deviation, and the unit if there is one; or its categories."""

    scales: dict[str, tuple[float, float]] = field(default_factory=dict)
    categories: dict[str, Labels] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)


class Table(TokenParts):
    """Values of C columns -> (C, PARTS) float32, in the order numbers, categories, dates.

    The first part is 1 if the row has a value; if not, all parts are 0. Numbers and dates are normalised to mean 0
    and standard deviation 1 over the training rows, and clipped at +-`clip`. Dates also have sine and cosine of the
    time of year, of the week and of the day. Categories are the most frequent ones of the training rows, by number; 0
    is any other.
    """

    def __init__(self, config: "TableConfig") -> None:
        super().__init__(self)
        self.config = config
        self.columns = config.columns
        self._learned = _Learned()

    def decode(self, raw: Any) -> dict[str, float | str | None]:
        """Returns column -> a number (for a date its days), the name of a category, or None.

        raw: column -> value; a column may be missing. Raises WeftError that names the column.
        """
        if not isinstance(raw, Mapping) or not set(raw).intersection(self.columns):
            raise WeftError(f"is {brief(raw)}, expected values of {', '.join(self.columns)}")
        return {name: self._read(name, raw.get(name)) for name in self.columns}

    def _read(self, name: str, value: Any) -> float | str | None:
        if is_missing(value):
            return None
        try:
            if name in self.config.categories:
                return label_of(value)
            if name in self.config.dates:
                return days_of(value)
            return number_of(value, self._learned.units.get(name, ""))
        except WeftError as error:
            raise WeftError(f"'{name}' {error}") from None

    def transform(
        self,
        item: Mapping[str, float | str | None],
        *,
        train: bool,  # noqa: ARG002
        generator: torch.Generator,  # noqa: ARG002
        view: int = 0,  # noqa: ARG002
    ) -> Tensor:
        """(C, PARTS)"""
        values_CP = torch.zeros(len(self.columns), PARTS)
        for place, name in enumerate(self.columns):
            value = item[name]
            if value is None:
                continue
            values_CP[place, 0] = 1.0
            if isinstance(value, str):
                known = self._learned.categories[name].place(value)
                values_CP[place, 1] = UNKNOWN if known is None else UNKNOWN + 1 + known
                continue
            mean, std = self._learned.scales.get(name, (0.0, 1.0))
            scaled = max(-self.config.clip, min(self.config.clip, (value - mean) / std))
            values_CP[place, 1] = scaled
            if name in self.config.dates:
                turns = torch.tensor([value / YEAR, value / WEEK, value], dtype=torch.float64)
                angles = 2 * math.pi * (turns % 1)
                values_CP[place, 2:] = torch.cat([angles.sin(), angles.cos()])
        return values_CP

    def collate(self, items: Sequence[Tensor]) -> Field:
        """B rows -> Field of (B, C, PARTS) without a mask: a missing value is encoded as such."""
        return Field(torch.stack(tuple(items)))

    def fit(self, raws: Iterable[Any]) -> None:
        """Learns scales and categories. Raises WeftError for a column without a value."""
        sums = {name: [0.0, 0.0, 0.0] for name in (*self.config.numbers, *self.config.dates)}
        counts: dict[str, Counter[str]] = {name: Counter() for name in self.config.categories}
        self._learned = _Learned()
        units = self._learned.units
        for raw in raws:
            for name in self.config.numbers:
                if name not in units and isinstance(raw, Mapping) and unit_of(raw.get(name)):
                    units[name] = unit_of(raw[name])
            for name in self.columns:
                try:
                    value = self._read(name, raw.get(name)) if isinstance(raw, Mapping) else None
                except WeftError:
                    continue  # the reader of the row reports it
                if isinstance(value, str):
                    counts[name][value] += 1
                elif value is not None:
                    _add(sums[name], value)
        empty = [n for n, s in sums.items() if not s[0]] + [n for n, c in counts.items() if not c]
        if empty:
            raise WeftError(f"no training row has a value in its column '{empty[0]}'")
        none, most = Labels(merge=self.config.merge), self.config.max_categories
        self._learned = _Learned(
            {
                name: (mean, math.sqrt(squares / rows) or 1.0)
                for name, (rows, mean, squares) in sums.items()
            },
            {name: none.most_frequent(of_column, most) for name, of_column in counts.items()},
            units,
        )

    def state(self) -> dict[str, Any]:
        return {
            "scales": {name: list(pair) for name, pair in self._learned.scales.items()},
            "categories": {name: list(one.names) for name, one in self._learned.categories.items()},
            "units": dict(self._learned.units),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        try:
            scales = {n: (float(m), float(s)) for n, (m, s) in state["scales"].items()}
            categories = {
                n: Labels([str(name) for name in names], self.config.merge)
                for n, names in state["categories"].items()
            }
            units = {str(name): str(unit) for name, unit in state.get("units", {}).items()}
        except (KeyError, TypeError, ValueError, AttributeError):
            raise WeftError(f"is {brief(state)}, expected scales and categories") from None
        wanted = {*self.config.numbers, *self.config.dates}, set(self.config.categories)
        if (set(scales), set(categories)) != wanted or not all(s > 0 for _, s in scales.values()):
            raise WeftError(f"holds other columns than {', '.join(self.columns)}")
        self._learned = _Learned(scales, categories, units)

    def names_of(self, values: Tensor) -> list[str | None]:
        """Returns the columns with their values, from (C, PARTS)."""
        return [
            f"{name} {self._value_of(name, row)}"
            for name, row in zip(self.columns, values.tolist(), strict=True)
        ]

    def _value_of(self, name: str, parts: Sequence[float]) -> str:
        if not parts[0]:
            return "missing"
        if name in self.config.categories:
            known = self._learned.categories.get(name)
            names = () if known is None else known.names
            place = int(parts[1]) - UNKNOWN - 1
            return names[place] if 0 <= place < len(names) else "(unknown)"
        mean, std = self._learned.scales.get(name, (0.0, 1.0))
        value = mean + std * parts[1]
        if name in self.config.dates:
            return date_text(value)
        return self._with_unit(name, value)

    def _with_unit(self, name: str, value: float) -> str:
        return f"{_number(value)} {self._learned.units.get(name, '')}".rstrip()

    def show(self, raw: Any) -> Display:
        """Displays each column with its value: a number as parsed, anything else as in the row."""
        there = [n for n in self.columns if not is_missing(raw.get(n))]
        return Display(words=tuple(Word(f"{n}: {self._said(n, raw[n])}") for n in there))

    def _said(self, name: str, value: Any) -> str:
        if name in self.config.numbers:
            with suppress(WeftError):
                return self._with_unit(name, number_of(value, self._learned.units.get(name, "")))
        return str(value)


def _number(value: float) -> str:
    """Formats a number with the digits of a 32-bit float, without exponent."""
    return f"{value:.0f}" if 1e5 <= abs(value) < 1e15 else f"{value:.6g}"


def _add(sums: list[float], value: float) -> None:
    """Updates count, mean and sum of squared deviations with a value (B. P. Welford 1962)."""
    sums[0] += 1
    before = value - sums[1]
    sums[1] += before / sums[0]
    sums[2] += before * (value - sums[1])


@dataclass(frozen=True)
class TableConfig(Config[Modality]):
    """Columns of a table as one stream: numbers, categories and dates."""

    numbers: tuple[str, ...] = ()
    """Columns that hold numbers."""
    categories: tuple[str, ...] = ()
    """Columns that hold categories."""
    dates: tuple[str, ...] = ()
    """Columns that hold dates or times, as 2026-03-05 or 2026-03-05T14:30."""
    max_categories: int = 100
    """Maximum number of learned categories in a column, the most frequent ones. Any other is unknown."""
    clip: float = 10.0
    """Limit of a value's distance from the mean, in standard deviations."""
    merge: tuple[Merge, ...] = ()
    """Differences that two spellings of one category may have: case, blanks."""

    def __post_init__(self) -> None:
        require(self, max_categories=COUNT, clip=POSITIVE)
        if not self.columns or len(set(self.columns)) < len(self.columns):
            named = ", ".join(self.columns) or "none"
            raise ValueError(f"columns are {named}, expected one or more, each once")

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns, in the order of their tokens."""
        return (*self.numbers, *self.categories, *self.dates)

    def build(self) -> Table:
        return Table(self)
