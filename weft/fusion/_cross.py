"""What the fusions share whose streams stay apart and attend to each other."""

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
    """What a stream attends to: packed tokens (S, D) of another one, and which of them are whose."""

    tokens: Tensor
    pairing: Pairing


@dataclass(frozen=True)
class Places:
    """Where the tokens of every stream of a batch lie, and how those of any two are paired."""

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
        """What that stream attends to: the packed `tokens` of each other one."""
        return {
            source: Context(tokens[source], self.pairings[target, source])
            for source in tokens
            if source != target
        }


class CrossAttentions(nn.Module):
    """A stream attends to each of several others by an attention of its own; the results add up.

    With one other stream this is plain cross-attention. A stream that is missing adds nothing.
    """

    def __init__(self, sources: Mapping[str, CrossAttention]) -> None:
        super().__init__()
        self.sources = NamedModules(dict(sources))

    def forward(
        self, tokens_SD: Tensor, packing: Packing, contexts: Mapping[str, Context]
    ) -> Tensor:
        """(S, D) packed tokens and the contexts by their stream -> (S, D)."""
        del packing  # the pairings know it
        return added(
            (self.sources[name](tokens_SD, c.tokens, c.pairing) for name, c in contexts.items()),
            tokens_SD,
        )


def added(parts: Iterable[Tensor], like: Tensor) -> Tensor:
    """The sum of all parts, zeros like that tensor where there is none."""
    total: Tensor | None = None
    for part in parts:
        total = part if total is None else total + part
    return torch.zeros_like(like) if total is None else total


def unpacked(
    tokens: Mapping[str, Tensor], places: Places, pooling: FirstOrMean
) -> dict[str, Features]:
    """Packed tokens of the streams as their Features, pooled by the first token or the mean."""
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
