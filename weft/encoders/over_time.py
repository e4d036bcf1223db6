"""Encodes a video by its frame vectors and a network over time: a transformer, an LSTM or GRU, or the mean."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast

from torch import Tensor, nn

from weft.core.building import build
from weft.core.config import Config
from weft.core.interfaces import CacheableEncoder, Encoder
from weft.core.ranges import COUNT, SHARE_BELOW_1, at_least, require
from weft.core.records import Features, Field
from weft.layers.packing import Packing
from weft.layers.pooling import pool
from weft.layers.positions import sine_positions
from weft.layers.recurrence import Recurrence, recur
from weft.layers.transformer import TransformerConfig


class OverTime(nn.Module):
    """Tokens of an encoder in order of time, normalised and projected to `dim` -> tokens with context over time.

    pooled: the mean over time; for an LSTM or GRU in one direction the last state.
    """

    def __init__(self, config: "OverTimeConfig", encoder: nn.Module) -> None:
        super().__init__()
        self.config = config
        self.encoder = encoder
        self.dim = config.dim
        inner = cast(Encoder, encoder).dim
        self.input_norm = (
            nn.LayerNorm(inner, elementwise_affine=False) if config.input_norm else nn.Identity()
        )
        self.map = nn.Linear(inner, self.dim)
        nn.init.normal_(self.map.weight, std=inner**-0.5)
        nn.init.zeros_(self.map.bias)
        self.dropout = nn.Dropout(config.dropout)
        if config.kind == "transformer":
            self.transformer = config.transformer().build()
        elif config.kind != "mean":
            network = nn.LSTM if config.kind == "lstm" else nn.GRU
            self.recurrence: Recurrence = network(
                self.dim,
                self.dim // (2 if config.bidirectional else 1),
                num_layers=config.depth,
                bidirectional=config.bidirectional,
                batch_first=True,
            )
        self.norm = nn.LayerNorm(self.dim)

    def forward(self, field: Field) -> Features:
        return self.over_time(cast(Encoder, self.encoder)(field))

    def over_time(self, features: Features) -> Features:
        packing = Packing.of(features.mask)
        tokens_SD = self.dropout(self.map(self.input_norm(packing.pack(features.tokens))))
        config = self.config
        if config.kind in ("lstm", "gru"):
            tokens_BTD, _ = recur(self.recurrence, packing.unpack(tokens_SD), packing.mask)
            tokens_BTD = packing.unpack(self.norm(packing.pack(tokens_BTD)))
        else:
            if config.kind == "transformer":
                places_SD = sine_positions(packing.positions(), self.dim).to(tokens_SD.dtype)
                tokens_SD = self.transformer(tokens_SD + places_SD, packing)
            tokens_BTD = packing.unpack(self.norm(tokens_SD))
        last = config.kind in ("lstm", "gru") and not config.bidirectional
        pooled_BD = pool(tokens_BTD, packing.mask, "last" if last else "mean")
        return Features(tokens_BTD, packing.mask, pooled_BD)


class CachedOverTime(OverTime):
    """The same over a partly or wholly frozen encoder, whose frame features can be cached."""

    def forward(self, field: Field) -> Features:
        return self.trainable(self.frozen(field))

    def frozen(self, field: Field) -> Features:
        return cast(CacheableEncoder, self.encoder).frozen(field)

    def trainable(self, features: Features) -> Features:
        return self.over_time(cast(CacheableEncoder, self.encoder).trainable(features))

    def frozen_parameters(self) -> Mapping[str, Tensor]:
        return cast(CacheableEncoder, self.encoder).frozen_parameters()


@dataclass(frozen=True)
class OverTimeConfig(Config[Encoder]):
    """An encoder of frames or of sound, and a network over time."""

    encoder: Config[Encoder]
    """An encoder whose tokens are in order of time: `PicturesEncoderConfig` with any picture encoder, one token a
    frame, wholly frozen so that frame features can be cached; or an encoder of sound."""
    dim: int = 128
    """Width of the result."""
    kind: Literal["transformer", "lstm", "gru", "mean"] = "transformer"
    """Network over time; mean: only the projection of each token."""
    depth: int = 2
    """Number of its layers."""
    heads: int = 4
    """Attention heads of a transformer."""
    bidirectional: bool = True
    """Of an LSTM or GRU: use both directions, each with half the width."""
    input_norm: bool = True
    """Whether each token is normalised first. Turn it off if the magnitude carries information, as in frames
    normalised over the whole recording."""
    dropout: float = 0.0
    """Dropout of the projected tokens, and in the blocks of a transformer."""

    def __post_init__(self) -> None:
        require(self, dim=COUNT, depth=at_least(1), dropout=SHARE_BELOW_1)
        if self.dim % 2:
            raise ValueError(f"dim is {self.dim}, expected an even number")
        if self.kind == "transformer":
            self.transformer()

    def transformer(self) -> TransformerConfig:
        """The stack of blocks."""
        return TransformerConfig.of(self)

    def build(self) -> OverTime:
        inner = build(self.encoder)
        cached = isinstance(inner, CacheableEncoder)
        return (CachedOverTime if cached else OverTime)(self, inner)
