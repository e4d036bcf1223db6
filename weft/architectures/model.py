"""The model class: encoders, fusion, projections, heads, chosen by config."""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from weft.core.building import build
from weft.core.config import Config
from weft.core.errors import unknown_name
from weft.core.interfaces import (
    JOINT,
    CacheableEncoder,
    Encoder,
    Fusion,
    ProjectionHead,
    ReadsAnyOf,
    SamplesJoint,
    WeighsPlaces,
)
from weft.core.named_modules import NamedModules
from weft.core.ranges import COUNT, SHARE_BELOW_1, require
from weft.core.records import Features, Field
from weft.core.shapes import check_shape
from weft.heads.head import Head, HeadConfig
from weft.layers.padded import is_padded

PADDED = (
    "batch with those that lack the stream; the padded mode expects parts that treat every row by "
    "itself: freeze this part or call eval()"
)


class Model(nn.Module):
    """All parts that inference needs, and none that only training needs.

    encoders: stream -> Encoder. fusion: None if streams do not interact. projections: stream -> module that maps
    Features to (B, E). heads: name -> Head.
    """

    def __init__(
        self,
        encoders: Mapping[str, nn.Module],
        fusion: nn.Module | None = None,
        projections: Mapping[str, nn.Module] | None = None,
        heads: Mapping[str, Head] | None = None,
    ) -> None:
        super().__init__()
        self.encoders = NamedModules(dict(encoders))
        self.fusion = fusion
        self.projections = NamedModules(dict(projections or {}))
        self.heads = NamedModules(dict(heads or {}))

    def encode(self, stream: str, value: Field | Features) -> Features:
        """Returns Features of one stream. Cached Features pass only through the encoder's trainable part.

        Only rows that have the stream are encoded, so other rows do not affect them, not even in batch norm. Rows
        without the stream get no tokens and a pooled vector of zeros.
        """
        encoder = self.encoder(stream)
        if not isinstance(value, Features):
            if is_padded() and value.present is not None:
                require_independent_rows(self, PADDED, f"encoders.{stream}.")
            return _of_present(cast(Encoder, encoder), value, value.present)
        if not isinstance(encoder, CacheableEncoder):
            raise ValueError(
                f"stream '{stream}' got cached Features, but its encoder "
                f"{type(encoder).__name__} has no frozen part"
            )
        # Rows that were absent in the cache have no tokens and must not gain any.
        return _of_present(encoder.trainable, value, value.present)

    def encoder(self, stream: str) -> nn.Module:
        """The encoder of that stream."""
        return self._part(self.encoders, stream, "encoder")

    def fuse(self, streams: Mapping[str, Features]) -> dict[str, Features]:
        """Returns the streams after fusion, and JOINT; without a fusion the streams are unchanged."""
        return dict(streams) if self.fusion is None else cast(Fusion, self.fusion)(streams)

    def can_sample(self, head: str) -> bool:
        """Whether the head reads the mean of a distribution, which can be sampled (`sample`)."""
        fusion = self.fusion
        joint = self.head(head).context == JOINT
        return joint and isinstance(fusion, SamplesJoint) and fusion.variational

    def sample(
        self, streams: Mapping[str, Features], seeds_B: Tensor, name: str
    ) -> dict[str, Features]:
        """Returns the streams after fusion with a sample as JOINT. Raises ValueError if the fusion has no distribution."""
        if not isinstance(self.fusion, SamplesJoint):
            raise ValueError(
                f"the fusion is a {type(self.fusion).__name__}, expected a SamplesJoint"
            )
        return self.fusion.sampled(streams, seeds_B, name)

    def place_weights(self, head: str, streams: Mapping[str, Features]) -> dict[str, Tensor]:
        """Returns stream -> (B, T) its share in each token that the head reads, if the fusion gives it."""
        fusion = self.fusion
        if not isinstance(fusion, WeighsPlaces) or self.head(head).context != JOINT:
            return {}
        return dict(zip(fusion.streams, fusion.place_weights(streams).unbind(2), strict=True))

    def embed(self, stream: str, features: Features) -> Tensor:
        """(B, E) embeddings of unit length, in fp32; zeros for rows that lack the stream."""
        projection = self._part(self.projections, stream, "projection")
        vectors_BE = F.normalize(projection(features).float(), dim=-1)
        return vectors_BE.masked_fill(~features.present[:, None], 0)

    @property
    def fused_streams(self) -> tuple[str, ...]:
        """The streams that are fused; without a fusion, all that have an encoder."""
        if self.fusion is None:
            return tuple(self.encoders)
        return tuple(s for s in cast(Fusion, self.fusion).streams if s in self.encoders)

    @property
    def spared_streams(self) -> tuple[str, ...]:
        """The streams that a row may lack if it has at least one, because the fusion can infer the same from any."""
        return self.fused_streams if isinstance(self.fusion, ReadsAnyOf) else ()

    def streams_of(self, head: str) -> tuple[str, ...]:
        """The streams that the head reads: all fused ones, or only its context."""
        if self.fusion is not None:
            return self.fused_streams
        context = self.head(head).context
        if context not in self.encoders:
            raise unknown_name(f"context of head '{head}'", context, self.encoders)
        return (context,)

    def decode(
        self, head: str, fused: Mapping[str, Features], prefix: Field | None = None
    ) -> Tensor:
        """Returns the output of the head of that name for the fused streams and, if it reads one, the prefix."""
        found: Tensor = self.head(head)(fused, prefix)
        return found

    def head(self, name: str) -> Head:
        """Returns the head of that name. Raises WeftError if there is none."""
        if name not in self.heads:
            raise unknown_name("head of the model", name, self.heads)
        return cast(Head, self.heads[name])

    @staticmethod
    def _part(parts: nn.ModuleDict, name: str, kind: str) -> nn.Module:
        if name not in parts:
            raise ValueError(
                f"the model has no {kind} for '{name}', it has: {', '.join(parts) or 'none'}"
            )
        return parts[name]


def _of_present(
    encode: Callable[[Any], Features], value: Field | Features, present_B: Tensor | None
) -> Features:
    """Applies encode(value) to the rows that are present and puts the results at their positions.

    In the padded mode, where no shape may depend on a value, all rows are encoded, and absent ones are then zeroed.
    """
    if is_padded():
        return encode(value) if present_B is None else encode(value).where(present_B)
    if present_B is None or bool(present_B.all()):
        return encode(value)
    index_R = present_B.nonzero()[:, 0]
    return encode(value.take(index_R)).spread(index_R, len(value))


def require_independent_rows(model: Model, reason: str, within: str = "") -> None:
    """Raises ValueError if a part in training mode mixes rows, such as batch norm.

    reason: what the rows are, and what to do. within: prefix of the names of the relevant parts.
    """
    for name, module in model.named_modules():
        if isinstance(module, _BatchNorm) and module.training and name.startswith(within):
            raise ValueError(
                f"{name} is a {type(module).__name__} in training, which mixes the rows of a {reason}"
            )


ACTIVATIONS: dict[str, type[nn.Module]] = {"gelu": nn.GELU, "relu": nn.ReLU}


class Projection(nn.Module):
    """Pooled features (B, D) -> embedding (B, E): an MLP with dropout, or one linear map.

    With a norm, each feature vector is first normalised to mean 0 and variance 1, so that frozen encoders of any
    scale fit.
    """

    def __init__(self, config: "ProjectionConfig") -> None:
        super().__init__()
        self.in_dim = config.in_dim
        widths = (config.in_dim, *config.hidden)
        layers: list[nn.Module] = []
        if config.norm:
            layers.append(nn.LayerNorm(config.in_dim, elementwise_affine=False))
        for before, after in itertools.pairwise(widths):
            layers += [
                nn.Linear(before, after),
                ACTIVATIONS[config.activation](),
                nn.Dropout(config.dropout),
            ]
        layers.append(nn.Linear(widths[-1], config.out_dim, bias=config.bias))
        self.layers = nn.Sequential(*layers)

    def forward(self, features: Features) -> Tensor:
        check_shape(features.pooled, "B D", "the input of a projection", D=self.in_dim)
        projected: Tensor = self.layers(features.pooled)
        return projected


@dataclass(frozen=True)
class ProjectionConfig(Config[ProjectionHead]):
    """in_dim: width D of the encoder. out_dim: embedding E. hidden: widths of hidden layers.

    norm: normalise the features first. dropout: after each hidden layer. bias: of the last map. activation: after the
    map of each hidden layer.
    """

    in_dim: int
    out_dim: int
    hidden: tuple[int, ...] = ()
    dropout: float = 0.0
    norm: bool = False
    bias: bool = False
    activation: Literal["gelu", "relu"] = "gelu"

    def __post_init__(self) -> None:
        require(self, in_dim=COUNT, hidden=COUNT, out_dim=COUNT, dropout=SHARE_BELOW_1)

    def build(self) -> Projection:
        return Projection(self)


class Pooled(nn.Module):
    """Uses the encoder's pooled vector (B, D) as the embedding."""

    def forward(self, features: Features) -> Tensor:
        return features.pooled


@dataclass(frozen=True)
class PooledConfig(Config[ProjectionHead]):
    """Uses the pooled vector without a projection; the other streams are projected into this space."""

    def build(self) -> Pooled:
        return Pooled()


@dataclass(frozen=True)
class ModelConfig(Config[Model]):
    """The parts of a model by stream; each part is built by its own config."""

    encoders: dict[str, Config[Encoder]]
    projections: dict[str, Config[ProjectionHead]] = field(default_factory=dict)
    fusion: Config[Fusion] | None = None
    heads: dict[str, HeadConfig] = field(default_factory=dict)
    """The heads by name. The first is the default."""

    def __post_init__(self) -> None:
        if "" in (*self.encoders, *self.projections, *self.heads):
            raise ValueError("model: a stream or head has an empty name")

    def build(self) -> Model:
        return Model(
            encoders={name: build(part) for name, part in self.encoders.items()},
            fusion=None if self.fusion is None else build(self.fusion),
            projections={name: build(part) for name, part in self.projections.items()},
            heads={name: head.build() for name, head in self.heads.items()},
        )
