"""Cross-modality transformer (LXMERT: Tan & Bansal 2019, arXiv:1908.07490, section 2.2).

Each block is cross-attention, self-attention and feed-forward. As in the authors' model, both directions share the
cross-attention. Here every pair of streams shares it, and a stream adds its results from several others.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from weft.core.config import Config
from weft.core.interfaces import JOINT, Fusion
from weft.core.named_modules import NamedModules
from weft.core.records import Features
from weft.fusion._cross import Context, FirstOrMean, Places, added, pooled_through, unpacked
from weft.fusion._streams import check_widths, in_order, joined, linear
from weft.layers.attention import CrossAttention
from weft.layers.packing import Packing
from weft.layers.pooling import pool
from weft.layers.transformer import (
    ResidualDropout,
    TransformerBlock,
    TransformerConfig,
    initialize,
    residual,
)

Tokens = dict[str, Tensor]


class CrossModalityBlock(nn.Module):
    """Every stream attends to the inputs of the other streams, then to itself."""

    def __init__(self, config: "CrossModalityConfig") -> None:
        super().__init__()
        own = config.transformer
        self.attention = CrossAttention(own.dim, own.heads, dropout=own.attention_dropout)
        self.norm = nn.LayerNorm(own.dim, eps=own.norm_eps)
        self.drop = ResidualDropout(own.dropout, 0.0)
        self.streams = NamedModules({stream: TransformerBlock(own) for stream in config.widths})
        initialize(self, own)

    def forward(self, tokens: Tokens, places: Places) -> Tokens:
        """Packed tokens (S, D) by stream -> the same."""
        crossed = {
            stream: self.cross(x_SD, places.packings[stream], places.contexts(stream, tokens))
            for stream, x_SD in tokens.items()
        }
        return {
            stream: self.streams[stream](x_SD, places.packings[stream])
            for stream, x_SD in crossed.items()
        }

    def cross(self, tokens_SD: Tensor, packing: Packing, contexts: Mapping[str, Context]) -> Tensor:
        """The shared cross-attention to all contexts, with a residual."""

        def attention(given_SD: Tensor) -> Tensor:
            parts = (self.attention(given_SD, c.tokens, c.pairing) for c in contexts.values())
            return added(parts, given_SD)

        return residual(tokens_SD, attention, self.norm, self.drop, packing, pre=False)


class CrossModality(nn.Module):
    """Streams projected to one width, with blocks of cross-attention and self-attention.

    JOINT: the tokens of all streams, concatenated in the order of `widths`. Its pooled vector is the first token (of
    the first stream that the row has) or the mean, after the pooler.
    """

    def __init__(self, config: "CrossModalityConfig") -> None:
        super().__init__()
        self.config = config
        self.dim = config.dim
        self.streams = tuple(config.widths)
        self.maps = NamedModules(
            {s: linear(width, config.dim) for s, width in config.widths.items() if config.maps}
        )
        self.blocks = nn.ModuleList(
            CrossModalityBlock(config) for _ in range(config.transformer.depth)
        )
        self.pooler = linear(config.dim, config.dim) if config.pooler else None
        self._recompute = False

    def recompute_activations(self) -> None:
        """From now on a training step stores only the inputs of every block and recomputes the rest."""
        self._recompute = True

    def forward(self, streams: Mapping[str, Features]) -> dict[str, Features]:
        """Any of the streams, (B, T, width) each -> those streams and JOINT, (B, T, dim)."""
        given = in_order(streams, self.config.widths)
        places = Places.of(given)
        tokens: Tokens = {}
        for stream, features in given.items():
            packed_SD = places.packings[stream].pack(features.tokens)
            tokens[stream] = self.maps[stream](packed_SD) if self.config.maps else packed_SD
        for block in self.blocks:
            if self._recompute:
                tokens = checkpoint(block, tokens, places, use_reentrant=False)
            else:
                tokens = block(tokens, places)
        fused = unpacked(tokens, places, self.config.pooling)
        tokens_BTD, mask_BT = joined(fused)
        joint = Features(tokens_BTD, mask_BT, pool(tokens_BTD, mask_BT, self.config.pooling))
        return {**fused, JOINT: Features(tokens_BTD, mask_BT, pooled_through(self.pooler, joint))}


@dataclass(frozen=True)
class CrossModalityConfig(Config[Fusion]):
    """Cross-modality transformer: cross-attention, then self-attention in every block (LXMERT)."""

    widths: dict[str, int]
    """Stream -> width of its tokens. JOINT's pooled vector comes from the first stream that a row has."""
    transformer: TransformerConfig
    """The blocks. Their width is that of the fusion; norm is post."""
    maps: bool = True
    """If true, project each stream to the fusion's width by a linear map. If false, streams must have that width."""
    pooling: FirstOrMean = "first"
    """Pooling: the first token, or the mean of all."""
    pooler: bool = True
    """If true, apply a linear layer and tanh to JOINT's pooled vector."""

    def __post_init__(self) -> None:
        check_widths(self.widths)
        own = self.transformer
        if own.norm != "post" or own.causal or own.drop_path:
            raise ValueError(
                f"transformer has norm '{own.norm}', causal {own.causal} and drop_path "
                f"{own.drop_path}, expected 'post', False and 0"
            )
        other = sorted(s for s, width in self.widths.items() if width != self.dim)
        if other and not self.maps:
            raise ValueError(
                f"maps is False and '{other[0]}' is {self.widths[other[0]]} wide, "
                f"expected {self.dim}, the width of the transformer"
            )

    @property
    def dim(self) -> int:
        return self.transformer.dim

    def build(self) -> CrossModality:
        return CrossModality(self)
