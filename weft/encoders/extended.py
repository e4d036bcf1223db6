"""A pretrained encoder with additional transformer blocks on top."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast

from torch import Tensor, nn

from weft.core.config import Config
from weft.core.interfaces import CacheableEncoder, Encoder
from weft.core.records import Features, Field
from weft.layers.packing import Packing
from weft.layers.pooling import pool
from weft.layers.transformer import TransformerConfig


class Extended(nn.Module):
    """The tokens of an encoder, normalised, projected to another width, and passed through trainable blocks.

    The frozen part of the inner encoder can be cached, as without the blocks. In a model with fusion, the projection
    is computed once for each picture, not for each pair of picture and text.
    """

    def __init__(self, config: "ExtendedConfig") -> None:
        super().__init__()
        self.config = config
        inner = config.encoder.build()
        if not isinstance(inner, CacheableEncoder):
            raise ValueError(
                f"{type(inner).__name__} has no frozen part, expected an encoder that is frozen at "
                "least partly: one that learns wholly can have blocks of its own"
            )
        self.encoder = cast(nn.Module, inner)
        self.dim = config.transformer.dim
        self.input_norm = nn.LayerNorm(inner.dim, elementwise_affine=False)
        self.map = nn.Linear(inner.dim, self.dim)
        nn.init.normal_(self.map.weight, std=inner.dim**-0.5)
        nn.init.zeros_(self.map.bias)
        self.dropout = nn.Dropout(config.transformer.dropout)
        self.transformer = config.transformer.build()
        self.norm = nn.LayerNorm(self.dim, eps=config.transformer.norm_eps)

    def forward(self, field: Field) -> Features:
        return self.trainable(self.frozen(field))

    def frozen(self, field: Field) -> Features:
        return cast(CacheableEncoder, self.encoder).frozen(field)

    def trainable(self, features: Features) -> Features:
        """The inner encoder's trainable part, then the blocks on its real tokens."""
        features = cast(CacheableEncoder, self.encoder).trainable(features)
        packing = Packing.of(features.mask)
        tokens_SD = self.dropout(self.map(self.input_norm(packing.pack(features.tokens))))
        tokens_BTD = packing.unpack(self.norm(self.transformer(tokens_SD, packing)))
        return Features(
            tokens_BTD, packing.mask, pool(tokens_BTD, packing.mask, self.config.pooling)
        )

    def frozen_parameters(self) -> Mapping[str, Tensor]:
        return cast(CacheableEncoder, self.encoder).frozen_parameters()


@dataclass(frozen=True)
class ExtendedConfig(Config[Encoder]):
    """A partly or wholly frozen encoder with transformer blocks on top."""

    encoder: Config[Encoder]
    """The inner encoder."""
    transformer: TransformerConfig
    """The blocks, pre-norm. Their width is that of the result; depth 0 is only the projection."""
    pooling: Literal["first", "mean"] = "mean"
    """Pooling to one vector."""

    def __post_init__(self) -> None:
        if self.transformer.norm != "pre":
            raise ValueError(f"transformer.norm is '{self.transformer.norm}', expected 'pre'")

    def build(self) -> Extended:
        return Extended(self)


def cached_part(encoder: Config[Encoder]) -> Config[Encoder]:
    """Returns the config on which the frozen features of `encoder` depend: blocks on top do not change them."""
    return cached_part(encoder.encoder) if isinstance(encoder, ExtendedConfig) else encoder
