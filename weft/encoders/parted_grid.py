"""Averages a square grid of tokens over a few square parts: keeps coarse positions with few tokens."""

import math
from dataclasses import dataclass
from typing import cast

import torch.nn.functional as F
from torch import nn

from weft.core.building import build
from weft.core.config import Config
from weft.core.interfaces import Encoder
from weft.core.ranges import COUNT, require
from weft.core.records import Features, Field


class PartedGrid(nn.Module):
    """The tokens of a grid (B, S * S, D), row by row -> the means of its parts (B, P * P, D), P along each side.

    pooled is the encoder's. Parts overlap if P does not divide S, as in adaptive average pooling.
    """

    def __init__(self, config: "PartedGridConfig") -> None:
        super().__init__()
        self.parts = config.parts
        self.encoder = build(config.encoder)
        self.dim = cast(Encoder, self.encoder).dim

    def forward(self, field: Field) -> Features:
        """Raises ValueError if the tokens are not a square grid."""
        features: Features = self.encoder(field)
        rows, cells, width = features.tokens.shape
        side = math.isqrt(cells)
        if side * side != cells:
            raise ValueError(f"the encoder has {cells} tokens, expected a square grid of them")
        grid_BDHW = features.tokens.transpose(1, 2).reshape(rows, width, side, side)
        parts_BDT = F.adaptive_avg_pool2d(grid_BDHW, self.parts).flatten(2)
        mask_BT = features.mask[:, :1].expand(rows, self.parts**2)
        return Features(parts_BDT.transpose(1, 2).contiguous(), mask_BT, features.pooled)


@dataclass(frozen=True)
class PartedGridConfig(Config[Encoder]):
    """The grid of an encoder of square pictures, averaged over parts."""

    encoder: Config[Encoder]
    """Encoder whose tokens are a square grid, row by row."""
    parts: int = 3
    """Parts along each side: 3 gives 9 tokens."""

    def __post_init__(self) -> None:
        require(self, parts=COUNT)

    def build(self) -> PartedGrid:
        return PartedGrid(self)
