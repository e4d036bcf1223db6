"""Class numbers of many positions, such as the cells of a grid or the pixels, as an array in the row."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from weft.core.config import Config
from weft.core.errors import WeftError
from weft.core.interfaces import Target


class Labels:
    """An array of class numbers -> (B, ...) int64; all rows have the same shape."""

    def __init__(self, config: "LabelsConfig") -> None:
        self.column = config.column

    def read(self, raw: Any) -> Tensor:
        try:
            numbers = np.asarray(raw)
        except ValueError as error:  # lists of different lengths
            raise WeftError(f"'{self.column}' is no array: {error}") from None
        if numbers.dtype.kind not in "iu":
            raise WeftError(f"'{self.column}' is {numbers.dtype}, expected whole numbers")
        return torch.from_numpy(numbers.astype(np.int64))

    def collate(self, items: Sequence[Tensor]) -> Tensor:
        return torch.stack(tuple(items))


@dataclass(frozen=True)
class LabelsConfig(Config[Target]):
    """An array of class numbers, one for each position."""

    column: str
    """The column that holds the array."""

    def build(self) -> Labels:
        return Labels(self)
