"""A number: a score, a sentiment."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from weft.core.config import Config
from weft.core.errors import WeftError
from weft.core.interfaces import Target


class Numbers:
    """A value of the column -> (B,) float32."""

    def __init__(self, config: "NumbersConfig") -> None:
        self.column = config.column

    def read(self, raw: Any) -> float:
        try:
            number = float(raw)
        except (TypeError, ValueError):
            number = math.nan
        if not math.isfinite(number):
            raise WeftError(f"'{self.column}' is {raw!r:.60}, expected a finite number")
        return number

    def collate(self, items: Sequence[float]) -> Tensor:
        return torch.tensor(items, dtype=torch.float32)


@dataclass(frozen=True)
class NumbersConfig(Config[Target]):
    """A number to be predicted."""

    column: str
    """The column that holds the number."""

    def build(self) -> Numbers:
        return Numbers(self)
