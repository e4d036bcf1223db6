"""Similarity fusion: JOINT holds the similarity of the streams, for each token and for the whole.

Diao et al. 2021 (SGRAF, arXiv:2101.01368): similarity vectors (section 3.2) between every token and its attended
context in the other stream (Lee et al. 2018, SCAN, arXiv:1803.08024, section 3.1), filtered by attention (section
3.4). It needs one product of tokens with tokens; a transformer needs many.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.interfaces import JOINT, Fusion
from weft.core.named_modules import NamedModules
from weft.core.ranges import COUNT, POSITIVE, require
from weft.core.records import Features
from weft.fusion._streams import check_widths, in_order, linear, map_tokens
from weft.layers.pooling import pool


class Similarity(nn.Module):
    """Compares each token of one stream with its attended context in every other stream.

    JOINT's tokens are unit similarity vectors: first of the wholes (the means of the tokens), then of each token of
    the comparing stream; several other streams are added. Its pooled vector is their mean, weighted by a gate, with
    unit length. A row without that stream, or without all others, gets zeros. The streams are returned unchanged.
    """

    def __init__(self, config: "SimilarityConfig") -> None:
        super().__init__()
        self.config = config
        self.dim = config.dim
        self.streams = tuple(config.widths)
        others = [stream for stream in config.widths if stream != config.queries]
        # The paper has no projection; it is used only if a stream has another width.
        self.maps = NamedModules(
            {s: linear(w, config.dim) for s, w in config.widths.items() if w != config.dim}
        )
        self.parts = NamedModules({s: linear(config.dim, config.dim) for s in others})
        self.wholes = NamedModules({s: linear(config.dim, config.dim) for s in others})
        self.gate = linear(config.dim, 1)
        self.log_scale = nn.Parameter(torch.tensor(math.log(config.scale)))

    def forward(self, streams: Mapping[str, Features]) -> dict[str, Features]:
        """Any of the streams, (B, T, width) each -> those streams and JOINT, (B, 1 + T, dim)."""
        given = in_order(streams, self.config.widths)
        mapped = {stream: self.mapped(stream, features) for stream, features in given.items()}
        queries = self.config.queries
        if queries not in given:
            first = next(iter(mapped.values()))
            nothing_B0 = next(iter(given.values())).mask[:, :0]
            joint = Features(first[:, :0], nothing_B0, first.new_zeros(first.shape[0], self.dim))
            return {**given, JOINT: joint}
        asking = Features(mapped[queries], given[queries].mask, given[queries].pooled)
        rows, length = asking.mask.shape
        alike_BTD = mapped[queries].new_zeros(rows, 1 + length, self.dim)
        any_B = torch.zeros(rows, dtype=torch.bool, device=asking.mask.device)
        for stream, features in given.items():
            if stream != queries:
                other = Features(mapped[stream], features.mask, features.pooled)
                alike_BTD = alike_BTD + self.alike(stream, asking, other)
                any_B = any_B | other.present
        there_B1 = (asking.present & any_B)[:, None]
        mask_BT = torch.cat([there_B1, asking.mask & there_B1], dim=1)
        alike_BTD = alike_BTD.masked_fill(~mask_BT[:, :, None], 0)
        return {**given, JOINT: Features(alike_BTD, mask_BT, self.filtered(alike_BTD, mask_BT))}

    def mapped(self, stream: str, features: Features) -> Tensor:
        """(B, T, dim) tokens in the width of the fusion, zero in the padding."""
        if stream in self.maps:
            return map_tokens(self.maps[stream], features)
        return features.tokens.masked_fill(~features.mask[:, :, None], 0)

    def alike(self, stream: str, asking: Features, other: Features) -> Tensor:
        """(B, 1 + T, dim) similarity vectors of the wholes and of each token; zero without the other stream."""
        query_BTD, key_BKD = (F.normalize(f.tokens, dim=-1) for f in (asking, other))
        # A softmax over no keys is NaN, so a row without keys reads zeros, and its result is
        # zeroed.
        seen_B1K = (other.mask | ~other.present[:, None])[:, None, :]
        logits_BTK = self.log_scale.exp() * (query_BTD @ key_BKD.transpose(1, 2))
        weights_BTK = logits_BTK.masked_fill(~seen_B1K, -torch.inf).softmax(dim=-1)
        attended_BTD = F.normalize(weights_BTK.to(key_BKD.dtype) @ other.tokens, dim=-1)
        parts_BTD = similarity(self.parts[stream], query_BTD, attended_BTD)
        means = (F.normalize(pool(f.tokens, f.mask, "mean"), dim=-1) for f in (asking, other))
        whole_B1D = similarity(self.wholes[stream], *means)[:, None]
        both_BTD = torch.cat([whole_B1D, parts_BTD], dim=1)
        return both_BTD.masked_fill(~other.present[:, None, None], 0)

    def filtered(self, alike_BTD: Tensor, mask_BT: Tensor) -> Tensor:
        """(B, dim) the gated mean of the similarity vectors, of unit length."""
        gates_BT1 = torch.sigmoid(self.gate(alike_BTD)).masked_fill(~mask_BT[:, :, None], 0)
        return F.normalize((gates_BT1 * alike_BTD).sum(dim=1), dim=-1)


def similarity(weights: nn.Module, one: Tensor, other: Tensor) -> Tensor:
    """(..., dim) unit similarity vectors (SGRAF, equation 1), of vectors of unit length."""
    # The squares of unit vectors' differences are about 1 / dim each.
    return F.normalize(weights((one - other).square() * one.shape[-1]), dim=-1)


@dataclass(frozen=True)
class SimilarityConfig(Config[Fusion]):
    """Similarity vectors between each token and its attended context in the other streams (SCAN, SGRAF)."""

    widths: dict[str, int]
    """Stream -> width of its tokens."""
    dim: int = 256
    """Width of the projected tokens and of the similarity vectors."""
    queries: str = "text"
    """The stream whose tokens are compared, each with its attended context in the others."""
    scale: float = 9.0
    """Initial factor of the cosines before the softmax of the attention; it is learned."""

    def __post_init__(self) -> None:
        check_widths(self.widths)
        if self.queries not in self.widths or len(self.widths) < 2:
            raise ValueError(
                f"queries is '{self.queries}' and widths are {self.widths}, "
                "expected one of at least two streams"
            )
        require(self, dim=COUNT, scale=POSITIVE)

    def build(self) -> Similarity:
        return Similarity(self)
