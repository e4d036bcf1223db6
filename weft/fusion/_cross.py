"""Shared by fusions in which separate streams attend to each other."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from weft.core.named_modules import NamedModules
from weft.core.records import Features
from weft.layers.attention import CrossAttention
from weft.layers.packing import Packing
from weft.layers.pairing import Pairing
from weft.layers.pooling import pool

FirstOrMean = Literal["first", "mean"]


@dataclass(frozen=True)
class Context:
    """The context to which a stream attends: packed tokens (S, D) of another stream, and the pairing of their rows."""

    tokens: Tensor
    pairing: Pairing


@dataclass(frozen=True)
class Places:
    """The positions of the tokens of every stream in a batch, and the pairings of any two streams."""

    packings: Mapping[str, Packing]
    pairings: Mapping[tuple[str, str], Pairing]

    @classmethod
    def of(cls, streams: Mapping[str, Features], queries: Iterable[str] | None = None) -> "Places":
        """queries: the streams that attend to the others, None for all."""
        packings = {name: Packing.of(f.mask, name) for name, f in streams.items()}
        pairings = {
            (target, source): Pairing.of(packings[target], packings[source])
            for target in (streams if queries is None else queries)
            for source in streams
            if source != target
        }
        return cls(packings, pairings)

    def contexts(self, target: str, tokens: Mapping[str, Tensor]) -> dict[str, Context]:
        """Returns the contexts of that stream: the packed `tokens` of each other one."""
        return {
            source: Context(tokens[source], self.pairings[target, source])
            for source in tokens
            if source != target
        }


class CrossAttentions(nn.Module):
    """A stream attends to each of several other streams with a separate attention; the results are added.

    With one other stream this is plain cross-attention. A missing stream adds nothing.
    """

    def __init__(self, sources: Mapping[str, CrossAttention]) -> None:
        super().__init__()
        self.sources = NamedModules(dict(sources))

    def forward(
        self, tokens_SD: Tensor, packing: Packing, contexts: Mapping[str, Context]
    ) -> Tensor:
        """(S, D) packed tokens and the contexts by their stream -> (S, D)."""
        del packing  # the pairings contain it
        return added(
            (self.sources[name](tokens_SD, c.tokens, c.pairing) for name, c in contexts.items()),
            tokens_SD,
        )


def added(parts: Iterable[Tensor], like: Tensor) -> Tensor:
    """Returns the sum of all parts, or zeros like `like` if there are none."""
    total: Tensor | None = None
    for part in parts:
        total = part if total is None else total + part
    return torch.zeros_like(like) if total is None else total


def unpacked(
    tokens: Mapping[str, Tensor], places: Places, pooling: FirstOrMean
) -> dict[str, Features]:
    """Returns packed tokens of the streams as their Features, pooled by the first token or the mean."""
    found: dict[str, Features] = {}
    for stream, tokens_SD in tokens.items():
        packing = places.packings[stream]
        tokens_BTD = packing.unpack(tokens_SD)
        found[stream] = Features(tokens_BTD, packing.mask, pool(tokens_BTD, packing.mask, pooling))
    return found


def pooled_through(pooler: nn.Module | None, features: Features) -> Tensor:
    """(B, D): tanh of a linear map of the pooled vectors, zero in rows without a token."""
    if pooler is None:
        return features.pooled
    pooled_BD = torch.tanh(pooler(features.pooled))
    return pooled_BD.masked_fill(~features.present[:, None], 0)
