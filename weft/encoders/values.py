"""Passes vectors through: the values of table cells, as a modality prepared them."""

from dataclasses import dataclass

import torch
from torch import nn

from weft.core.config import Config
from weft.core.interfaces import Encoder
from weft.core.ranges import COUNT, require
from weft.core.records import Features, Field
from weft.core.shapes import check_shape


class Values(nn.Module):
    """(B, D) -> the same as pooled vector and as the one token. Nothing is learned."""

    def __init__(self, config: "ValuesConfig") -> None:
        super().__init__()
        self.dim = config.dim

    def forward(self, field: Field) -> Features:
        """(B, D), mask True for real elements; others become 0."""
        check_shape(field.values, "B D", "the values of a cell", D=self.dim)
        values_BD = field.values.float()
        return vector_features(
            values_BD if field.mask is None else values_BD.masked_fill(~field.mask, 0)
        )


def vector_features(pooled_BD: torch.Tensor) -> Features:
    """Features of one token, the pooled vector itself."""
    mask_B1 = torch.ones_like(pooled_BD[:, :1], dtype=torch.bool)
    return Features(pooled_BD[:, None], mask_B1, pooled_BD)


@dataclass(frozen=True)
class ValuesConfig(Config[Encoder]):
    """Passes vectors of width `dim` through unchanged."""

    dim: int

    def __post_init__(self) -> None:
        require(self, dim=COUNT)

    def build(self) -> Values:
        return Values(self)
