"""The one model class: encoders, fusion, projections, decoders, chosen by config."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.interfaces import CacheableEncoder, Decoder, Encoder, Fusion
from weft.core.records import Batch, Features, Field
from weft.core.shapes import check_shape


class Model(nn.Module):
    """What inference needs, and nothing that only training needs.

    encoders: stream -> Encoder. fusion: or None where streams do not look at each other.
    projections: stream -> module that maps Features to (B, E). decoders: name -> Decoder.
    """

    def __init__(
        self,
        encoders: Mapping[str, nn.Module],
        fusion: nn.Module | None = None,
        projections: Mapping[str, nn.Module] | None = None,
        decoders: Mapping[str, nn.Module] | None = None,
    ) -> None:
        super().__init__()
        self.encoders = nn.ModuleDict(dict(encoders))
        self.fusion = fusion
        self.projections = nn.ModuleDict(dict(projections or {}))
        self.decoders = nn.ModuleDict(dict(decoders or {}))

    def encode(self, stream: str, value: Field | Features) -> Features:
        """Features of one stream. Cached Features pass only through the encoder's trainable part."""
        encoder = self._part(self.encoders, stream, "encoder")
        if not isinstance(value, Features):
            return cast(Encoder, encoder)(value)
        if not isinstance(encoder, CacheableEncoder):
            raise ValueError(
                f"stream '{stream}' got cached Features, but its encoder "
                f"{type(encoder).__name__} has no frozen part"
            )
        return encoder.trainable(value)

    def fuse(self, streams: Mapping[str, Features]) -> dict[str, Features]:
        """The streams after fusion; unchanged where the model has none."""
        return dict(streams) if self.fusion is None else cast(Fusion, self.fusion)(streams)

    def embed(self, stream: str, features: Features) -> Tensor:
        """(B, E) embeddings of unit length, in fp32."""
        projection = self._part(self.projections, stream, "projection")
        return F.normalize(projection(features).float(), dim=-1)

    def decode(self, name: str, context: Features, prefix: Field) -> Tensor:
        """What the decoder of that name makes of the context and the prefix."""
        return cast(Decoder, self._part(self.decoders, name, "decoder"))(context, prefix)

    @staticmethod
    def _part(parts: nn.ModuleDict, name: str, kind: str) -> nn.Module:
        if name not in parts:
            raise ValueError(f"the model has no {kind} for '{name}', it has: {', '.join(parts)}")
        return parts[name]


class Streams:
    """The streams of one batch, each encoded the first time it is asked for and only once."""

    def __init__(self, model: Model, batch: Batch) -> None:
        self._model = model
        self._batch = batch
        self._features: dict[str, Features] = {}
        self._embeddings: dict[str, Tensor] = {}
        self._fused: dict[str, Features] | None = None

    def features(self, stream: str) -> Features:
        """Features of the stream before fusion."""
        if stream not in self._features:
            if stream not in self._batch.inputs:
                known = ", ".join(self._batch.inputs)
                raise ValueError(f"the batch has no stream '{stream}', it has: {known}")
            self._features[stream] = self._model.encode(stream, self._batch.inputs[stream])
        return self._features[stream]

    def fused(self) -> dict[str, Features]:
        """All streams of the batch after fusion."""
        if self._fused is None:
            self._fused = self._model.fuse({s: self.features(s) for s in self._batch.inputs})
        return self._fused

    def embedding(self, stream: str) -> Tensor:
        """(B, E) unit-length embedding of the stream before fusion."""
        if stream not in self._embeddings:
            self._embeddings[stream] = self._model.embed(stream, self.features(stream))
        return self._embeddings[stream]


class Projection(nn.Module):
    """Pooled features (B, D) -> embedding (B, E): an MLP with dropout, or one linear map.

    With a norm the features are first brought to mean 0 and variance 1, each by itself, so that
    frozen encoders of any scale can stand before it.
    """

    def __init__(self, config: "ProjectionConfig") -> None:
        super().__init__()
        self.in_dim = config.in_dim
        widths = (config.in_dim, *config.hidden)
        layers: list[nn.Module] = []
        if config.norm:
            layers.append(nn.LayerNorm(config.in_dim, elementwise_affine=False))
        for before, after in itertools.pairwise(widths):
            layers += [nn.Linear(before, after), nn.GELU(), nn.Dropout(config.dropout)]
        layers.append(nn.Linear(widths[-1], config.out_dim, bias=config.bias))
        self.layers = nn.Sequential(*layers)

    def forward(self, features: Features) -> Tensor:
        check_shape(features.pooled, "B D", "the input of a projection", D=self.in_dim)
        projected: Tensor = self.layers(features.pooled)
        return projected


@dataclass(frozen=True)
class ProjectionConfig(Config):
    """in_dim: width D of the encoder. out_dim: embedding E. hidden: widths of hidden layers.

    norm: normalise the features first. dropout: after each hidden layer. bias: of the last map.
    """

    in_dim: int
    out_dim: int
    hidden: tuple[int, ...] = ()
    dropout: float = 0.0
    norm: bool = False
    bias: bool = False

    def __post_init__(self) -> None:
        widths = (self.in_dim, *self.hidden, self.out_dim)
        if min(widths) < 1:
            raise ValueError(f"widths are {widths}, expected at least 1 each")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is {self.dropout}, expected a number in [0, 1)")

    def build(self) -> Projection:
        return Projection(self)


class Pooled(nn.Module):
    """The encoder's pooled vector (B, D) is the embedding as it is."""

    def forward(self, features: Features) -> Tensor:
        return features.pooled


@dataclass(frozen=True)
class PooledConfig(Config):
    """No projection: the other streams come to this one's space."""

    def build(self) -> Pooled:
        return Pooled()


@dataclass(frozen=True)
class ModelConfig(Config):
    """The parts of a model by stream; each part is built by its own config."""

    encoders: dict[str, Config]
    projections: dict[str, Config] = field(default_factory=dict)
    fusion: Config | None = None
    decoders: dict[str, Config] = field(default_factory=dict)

    def build(self) -> Model:
        return Model(
            encoders={name: build(part) for name, part in self.encoders.items()},
            fusion=None if self.fusion is None else build(self.fusion),
            projections={name: build(part) for name, part in self.projections.items()},
            decoders={name: build(part) for name, part in self.decoders.items()},
        )


def build(config: Config) -> nn.Module:
    """The part that `config` describes."""
    part = config.build()  # type: ignore[attr-defined]
    if not isinstance(part, nn.Module):
        raise TypeError(
            f"{type(config).__name__}.build() gave a {type(part).__name__}, expected a module"
        )
    return part
