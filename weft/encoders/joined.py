"""Several encoders of one stream, with their pooled vectors concatenated."""

from dataclasses import dataclass
from typing import cast

import torch
from torch import nn

from weft.core.building import build
from weft.core.config import Config
from weft.core.interfaces import Encoder
from weft.core.records import Features, Field
from weft.encoders.values import vector_features


class Joined(nn.Module):
    """The concatenated pooled vectors of the encoders, (B, sum of their widths); the one token is the same."""

    def __init__(self, config: "JoinedConfig") -> None:
        super().__init__()
        self.encoders = nn.ModuleList(build(one) for one in config.encoders)
        self.dim = sum(cast(Encoder, encoder).dim for encoder in self.encoders)

    def forward(self, field: Field) -> Features:
        parts = [cast(Encoder, encoder)(field).pooled for encoder in self.encoders]
        return vector_features(torch.cat(parts, dim=1))


@dataclass(frozen=True)
class JoinedConfig(Config[Encoder]):
    """Several encoders that read the same stream."""

    encoders: tuple[Config[Encoder], ...]

    def __post_init__(self) -> None:
        if not self.encoders:
            raise ValueError("encoders is empty, expected one or more")

    def build(self) -> Joined:
        return Joined(self)
