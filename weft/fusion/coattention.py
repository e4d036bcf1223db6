"""Co-attention: separate streams that attend to each other (ViLBERT).

Lu et al. 2019, arXiv:1908.02265, section 3.1 and figure 2: the queries of one stream attend to the keys and values of
the other. With three or more streams, each attends to every other one, and the results are added.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from weft.core.config import Config
from weft.core.interfaces import JOINT, Fusion
from weft.core.named_modules import NamedModules
from weft.core.ranges import COUNT, require
from weft.core.records import Features
from weft.fusion._cross import CrossAttentions, FirstOrMean, Places
from weft.fusion._streams import check_widths, in_order, joined, linear
from weft.layers.attention import CrossAttention
from weft.layers.pooling import pool
from weft.layers.transformer import TransformerBlock, TransformerConfig, initialize

Tokens = dict[str, Tensor]


class CoAttentionBlock(nn.Module):
    """Every stream attends to the inputs of the other streams, then to itself."""

    def __init__(self, config: "CoAttentionConfig") -> None:
        super().__init__()
        self.across = NamedModules()
        self.within = NamedModules()
        for target, own in config.streams.items():
            sources = {
                source: CrossAttention(
                    own.dim,
                    config.heads,
                    context_dim=other.dim,
                    width=config.dim,
                    dropout=own.attention_dropout,
                )
                for source, other in config.streams.items()
                if source != target
            }
            self.across[target] = TransformerBlock(own, attention=CrossAttentions(sources))
            initialize(self.across[target], own)
            self.within[target] = own.build()

    def forward(self, tokens: Tokens, places: Places) -> Tokens:
        """Packed tokens (S, D) by stream -> the same."""
        packings = places.packings
        crossed = {
            stream: self.across[stream](x_SD, packings[stream], places.contexts(stream, tokens))
            for stream, x_SD in tokens.items()
        }
        return {
            stream: self.within[stream](x_SD, packings[stream]) for stream, x_SD in crossed.items()
        }


class CoAttention(nn.Module):
    """Streams of any widths with `depth` blocks of co-attention.

    A stream's pooled vector is relu(linear(its first token)), (B, dim). JOINT: the product (section 3.2, image-text
    alignment) or sum of the pooled vectors of the row's streams. JOINT's tokens are all tokens through the same
    poolers, (B, T, dim), in the order of the streams.
    """

    def __init__(self, config: "CoAttentionConfig") -> None:
        super().__init__()
        self.config = config
        self.dim = config.dim
        self.streams = tuple(config.widths)
        self.blocks = nn.ModuleList(CoAttentionBlock(config) for _ in range(config.depth))
        self.poolers = NamedModules(
            {stream: linear(own.dim, config.dim) for stream, own in config.streams.items()}
        )
        self._recompute = False

    def recompute_activations(self) -> None:
        """From now on a training step stores only the inputs of every block and recomputes the rest."""
        self._recompute = True

    def forward(self, streams: Mapping[str, Features]) -> dict[str, Features]:
        """Any of the streams, (B, T, width) each -> those streams and JOINT, (B, T, dim)."""
        given = in_order(streams, self.config.widths)
        places = Places.of(given)
        tokens = {stream: places.packings[stream].pack(f.tokens) for stream, f in given.items()}
        for block in self.blocks:
            if self._recompute:
                tokens = checkpoint(block, tokens, places, use_reentrant=False)
            else:
                tokens = block(tokens, places)
        return self.pooled(tokens, places)

    def pooled(self, tokens: Tokens, places: Places) -> dict[str, Features]:
        """Returns the streams and JOINT from packed tokens."""
        fused: dict[str, Features] = {}
        mapped: dict[str, Features] = {}
        for stream, tokens_SD in tokens.items():
            packing = places.packings[stream]
            mapped_BTD = packing.unpack(F.relu(self.poolers[stream](tokens_SD)))
            pooled_BD = pool(mapped_BTD, packing.mask, self.config.pooling)
            fused[stream] = Features(packing.unpack(tokens_SD), packing.mask, pooled_BD)
            mapped[stream] = Features(mapped_BTD, packing.mask, pooled_BD)
        return {**fused, JOINT: Features(*joined(mapped), self.merge(mapped))}

    def merge(self, mapped: Mapping[str, Features]) -> Tensor:
        """(B, dim) combines all streams. A stream that the row lacks has no effect; without any stream the result is
        zero."""
        parts_MBD = torch.stack([features.pooled for features in mapped.values()])
        if self.config.merge == "sum":
            return parts_MBD.sum(dim=0)
        there_MB = torch.stack([features.present for features in mapped.values()])
        product_BD = parts_MBD.masked_fill(~there_MB[:, :, None], 1).prod(dim=0)
        return product_BD.masked_fill(~there_MB.any(dim=0)[:, None], 0)


@dataclass(frozen=True)
class CoAttentionConfig(Config[Fusion]):
    """Co-attention: streams stay apart and attend to each other in every block (ViLBERT)."""

    streams: dict[str, TransformerConfig]
    """Stream -> its blocks. The width is that of the stream's tokens, the depth is the number of the stream's own
    blocks after each co-attention (1 in the paper), norm is post."""
    dim: int
    """Width of queries, keys and values in the co-attention, and of JOINT."""
    depth: int
    """Number of co-attention blocks."""
    heads: int
    """Attention heads of the co-attention."""
    pooling: FirstOrMean = "first"
    """Pooling of a stream: its first token, or all tokens after the pooler."""
    merge: Literal["product", "sum"] = "product"
    """How the streams' pooled vectors are combined to JOINT's."""

    def __post_init__(self) -> None:
        check_widths(self.widths)
        require(self, depth=COUNT, dim=COUNT)
        if self.heads < 1 or self.dim % self.heads:
            raise ValueError(f"heads is {self.heads}, expected a divisor of dim, {self.dim}")
        for stream, own in self.streams.items():
            if own.norm != "post" or own.causal:
                raise ValueError(
                    f"streams['{stream}'] has norm '{own.norm}' and causal {own.causal}, "
                    "expected 'post' and False"
                )

    @property
    def widths(self) -> dict[str, int]:
        return {stream: own.dim for stream, own in self.streams.items()}

    def build(self) -> CoAttention:
        return CoAttention(self)
