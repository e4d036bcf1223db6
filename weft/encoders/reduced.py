"""Projects the pooled vector of a frozen encoder to its first principal directions."""

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from weft.core.building import build
from weft.core.config import Config
from weft.core.interfaces import Encoder
from weft.core.ranges import COUNT, require
from weft.core.records import Features, Field
from weft.encoders.values import vector_features


class Reduced(nn.Module):
    """pooled (B, D) of the encoder -> pooled @ directions - shift, (B, K). Nothing is trained by gradients.

    For TF-IDF these are the directions of latent semantic analysis (S. Deerwester et al., JASIS 41(6), 1990), without
    a shift; otherwise principal components.
    """

    directions: Tensor
    shift: Tensor

    def __init__(self, config: "ReducedConfig") -> None:
        super().__init__()
        self.encoder = build(config.encoder).requires_grad_(False).eval()
        self.dim = config.dim
        width = cast(Encoder, self.encoder).dim
        self.register_buffer("directions", torch.eye(width, config.dim))
        self.register_buffer("shift", torch.zeros(config.dim))

    @torch.no_grad()
    def forward(self, field: Field) -> Features:
        pooled_BD = cast(Encoder, self.encoder)(field).pooled
        return vector_features(pooled_BD @ self.directions - self.shift)

    def train(self, mode: bool = True) -> "Reduced":
        super().train(mode)
        self.encoder.eval()
        return self


@dataclass(frozen=True)
class ReducedConfig(Config[Encoder]):
    """The first `dim` principal directions of an encoder's pooled vector."""

    encoder: Config[Encoder]
    dim: int

    def __post_init__(self) -> None:
        require(self, dim=COUNT)

    def build(self) -> Reduced:
        return Reduced(self)
