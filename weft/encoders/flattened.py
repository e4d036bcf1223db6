"""Concatenates the tokens of an encoder to one vector: of the cells of a picture, or the frames of a sound of fixed
length."""

from dataclasses import dataclass
from typing import cast

import torch.nn.functional as F
from torch import nn

from weft.core.building import build
from weft.core.config import Config
from weft.core.interfaces import Encoder
from weft.core.ranges import COUNT, at_least, require
from weft.core.records import Features, Field


class Flattened(nn.Module):
    """The first `tokens` tokens of the encoder, concatenated, -> pooled (B, D) by a linear map; tokens: that vector.

    Rows with fewer tokens are filled with zeros. With 0 tokens the encoder's pooled vector is mapped.
    """

    def __init__(self, config: "FlattenedConfig") -> None:
        super().__init__()
        self.config = config
        self.dim = config.dim
        self.encoder = build(config.encoder)
        width = cast(Encoder, self.encoder).dim
        self.map = nn.Linear(width * max(1, config.tokens), config.dim)

    def forward(self, field: Field) -> Features:
        features = self.encoder(field)
        there_B = features.present
        vector_BK = features.pooled
        if self.config.tokens:
            tokens_BTD = features.tokens.masked_fill(~features.mask[..., None], 0)
            missing = self.config.tokens - tokens_BTD.shape[1]
            vector_BK = F.pad(tokens_BTD, (0, 0, 0, missing)).flatten(1)
        pooled_BD = self.map(vector_BK).masked_fill(~there_B[:, None], 0)
        return Features(pooled_BD[:, None], there_B[:, None], pooled_BD)


@dataclass(frozen=True)
class FlattenedConfig(Config[Encoder]):
    """Concatenates the tokens of an encoder and maps them to one vector."""

    encoder: Config[Encoder]
    """Encoder whose tokens are read."""
    dim: int
    """Width of the vector."""
    tokens: int = 0
    """Number of tokens to read, such as the 64 cells of a picture; 0: the pooled vector."""

    def __post_init__(self) -> None:
        require(self, dim=COUNT, tokens=at_least(0))

    def build(self) -> Flattened:
        return Flattened(self)
