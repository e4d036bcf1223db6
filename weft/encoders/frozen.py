"""Encoders that are frozen wholly or in their first layers, so that features can be cached."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol, Self, cast, runtime_checkable

import torch
from torch import Tensor, nn

from weft.core.building import build
from weft.core.config import Config
from weft.core.interfaces import CacheableEncoder, Encoder
from weft.core.ranges import at_least, require
from weft.core.records import Features, Field


class Frozen(nn.Module):
    """An encoder that never trains: always in eval mode, always without gradient.

    Without `tokens`, only the pooled vector is kept, as the one token, so caches stay small.
    """

    def __init__(self, encoder: nn.Module, *, tokens: bool = True) -> None:
        super().__init__()
        self.encoder = encoder.requires_grad_(False).eval()
        self.tokens = tokens
        self.dim = cast(Encoder, encoder).dim

    def forward(self, field: Field) -> Features:
        return self.trainable(self.frozen(field))

    @torch.no_grad()
    def frozen(self, field: Field) -> Features:
        features = cast(Encoder, self.encoder)(field)
        if self.tokens:
            return features
        token_B1D = features.pooled[:, None]
        mask_B1 = torch.ones(token_B1D.shape[:2], dtype=torch.bool, device=token_B1D.device)
        return Features(token_B1D, mask_B1, features.pooled)

    def trainable(self, features: Features) -> Features:
        return features

    def frozen_parameters(self) -> Mapping[str, Tensor]:
        return {**dict(self.encoder.named_parameters()), **dict(self.encoder.named_buffers())}

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        self.encoder.eval()
        return self


@runtime_checkable
class Layered(Protocol):
    """An encoder that can be divided after any of its `depth` layers: upper(lower(field, n), n)."""

    dim: int
    depth: int

    def lower(self, field: Field, layers: int) -> Features: ...

    def upper(self, features: Features, layers: int) -> Features: ...

    def lower_parts(self, layers: int) -> list[nn.Module | nn.Parameter]: ...


class PartlyFrozen(nn.Module):
    """An encoder whose embeddings and lower layers are frozen and whose top layers are trained.

    `frozen` returns the hidden states below the first trainable layer.
    """

    def __init__(self, encoder: nn.Module, *, trainable_layers: int) -> None:
        super().__init__()
        if not isinstance(encoder, Layered):
            raise ValueError(
                f"{type(encoder).__name__} cannot be cut into layers, expected a transformer tower"
            )
        if not 1 <= trainable_layers <= encoder.depth:
            raise ValueError(
                f"trainable_layers is {trainable_layers}, expected 1 to {encoder.depth}, the depth"
            )
        self.encoder: nn.Module = encoder
        self.dim = encoder.dim
        self.frozen_layers = encoder.depth - trainable_layers
        self._set_frozen()

    def forward(self, field: Field) -> Features:
        return self.trainable(self.frozen(field))

    @torch.no_grad()
    def frozen(self, field: Field) -> Features:
        return cast(Layered, self.encoder).lower(field, self.frozen_layers)

    def trainable(self, features: Features) -> Features:
        return cast(Layered, self.encoder).upper(features, self.frozen_layers)

    def frozen_parameters(self) -> Mapping[str, Tensor]:
        named = [*self.encoder.named_parameters(), *self.encoder.named_buffers()]
        frozen = {id(tensor) for part in self._parts() for tensor in _tensors(part)}
        return {name: tensor for name, tensor in named if id(tensor) in frozen}

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        self._set_frozen()
        return self

    def _set_frozen(self) -> None:
        for part in self._parts():
            part.requires_grad_(False)
            if isinstance(part, nn.Module):
                part.eval()

    def _parts(self) -> list[nn.Module | nn.Parameter]:
        return cast(Layered, self.encoder).lower_parts(self.frozen_layers)


def _tensors(part: nn.Module | nn.Parameter) -> Iterator[Tensor]:
    if isinstance(part, nn.Module):
        yield from part.parameters()
        yield from part.buffers()
    else:
        yield part


@dataclass(frozen=True)
class FrozenConfig(Config[CacheableEncoder]):
    """Freezes an encoder wholly. tokens: keep its tokens, or only the pooled vector."""

    encoder: Config[Encoder]
    tokens: bool = True

    def build(self) -> Frozen:
        return Frozen(build(self.encoder), tokens=self.tokens)


@dataclass(frozen=True)
class PartlyFrozenConfig(Config[CacheableEncoder]):
    """Freezes a transformer encoder except its `trainable_layers` top layers."""

    encoder: Config[Encoder]
    trainable_layers: int = 1

    def __post_init__(self) -> None:
        require(self, trainable_layers=at_least(0))

    def build(self) -> PartlyFrozen:
        return PartlyFrozen(build(self.encoder), trainable_layers=self.trainable_layers)
