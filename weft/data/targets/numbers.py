"""Regression of a number, such as a score or a sentiment."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from weft.core.cells import number_of
from weft.core.config import Config
from weft.core.errors import WeftError, brief
from weft.core.interfaces import Target

LARGEST = torch.finfo(torch.float32).max


class Numbers:
    """A value of the column -> (B,) float32."""

    def __init__(self, config: "NumbersConfig") -> None:
        self.column = config.column
        self.unit = config.unit
        self.limits = config.limits

    def read(self, raw: Any) -> float:
        try:
            number = number_of(raw, self.unit)
        except WeftError as error:
            raise WeftError(f"'{self.column}' {error}") from None
        if abs(number) > LARGEST:
            raise WeftError(
                f"'{self.column}' is {brief(raw)}, expected a finite number that fits 32 bits"
            )
        if self.limits is not None and not self.limits[0] <= number <= self.limits[1]:
            low, high = self.limits
            raise WeftError(
                f"'{self.column}' is {brief(raw)}, expected a score from {low:g} to {high:g}, the limits of the scale"
            )
        return number

    def collate(self, items: Sequence[float]) -> Tensor:
        return torch.tensor(items, dtype=torch.float32)


@dataclass(frozen=True)
class NumbersConfig(Config[Target]):
    """A number to predict."""

    column: str
    """The column that holds the number."""
    unit: str = ""
    """Unit of the numbers, such as €. A value in another unit is an error."""
    limits: tuple[float, float] | None = None
    """Lowest and highest score of a scale, such as -3 and 3; a score outside is an error. If they lie on both sides
    of 0, regression also measures classes: negative and positive, and the whole numbers of the scale."""

    def __post_init__(self) -> None:
        if self.limits is not None and not -LARGEST <= self.limits[0] < self.limits[1] <= LARGEST:
            raise ValueError(
                f"limits are {self.limits}, expected two finite numbers, the lower one first"
            )

    def build(self) -> Numbers:
        return Numbers(self)
