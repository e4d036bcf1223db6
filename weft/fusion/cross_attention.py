"""Cross-attention: the tokens of one stream attend to those of the others inside a transformer.

The multimodal encoder of ALBEF (Li et al. 2021, arXiv:2107.07651, section 3.1) and the image-grounded
text encoder of BLIP (Li et al. 2022, arXiv:2201.12086, section 3.1).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from weft.core.config import Config
from weft.core.interfaces import JOINT, Fusion
from weft.core.records import Features
from weft.fusion._cross import (
    Context,
    CrossAttentions,
    FirstOrMean,
    Places,
    pooled_through,
    unpacked,
)
from weft.fusion._streams import check_widths, in_order, linear
from weft.layers.attention import CrossAttention
from weft.layers.packing import Packing
from weft.layers.transformer import (
    ResidualDropout,
    TransformerBlock,
    TransformerConfig,
    initialize,
    residual,
)


class GroundedBlock(nn.Module):
    """Self-attention, cross-attention to the contexts, MLP.

    For a row without context it is a block without cross-attention.
    """

    def __init__(self, config: "CrossAttentionConfig") -> None:
        super().__init__()
        own = config.transformer
        self.pre_norm = own.norm == "pre"
        self.block = TransformerBlock(own)
        self.across = CrossAttentions(
            {
                source: CrossAttention(
                    own.dim, own.heads, context_dim=width, dropout=own.attention_dropout
                )
                for source, width in config.widths.items()
                if source != config.queries
            }
        )
        self.norm = nn.LayerNorm(own.dim, eps=own.norm_eps)
        self.drop = ResidualDropout(own.dropout, 0.0)
        initialize(self, own)

    def forward(
        self, tokens_SD: Tensor, packing: Packing, contexts: Mapping[str, Context]
    ) -> Tensor:
        """(S, D) packed tokens -> (S, D)."""
        tokens_SD = self.block.attend(tokens_SD, packing)
        if contexts:
            tokens_SD = self.cross(tokens_SD, packing, contexts)
        return self.block.feed_forward(tokens_SD, packing)

    def cross(self, tokens_SD: Tensor, packing: Packing, contexts: Mapping[str, Context]) -> Tensor:
        """Cross-attention with a residual, in rows with any context."""

        def attention(given_SD: Tensor) -> Tensor:
            attended: Tensor = self.across(given_SD, packing, contexts)
            return attended

        crossed_SD = residual(
            tokens_SD, attention, self.norm, self.drop, packing, pre=self.pre_norm
        )
        missing = [context.pairing.without_keys for context in contexts.values()]
        if any(without is None for without in missing):
            return crossed_SD
        without_S = torch.stack([without for without in missing if without is not None]).all(dim=0)
        return torch.where(without_S[:, None], tokens_SD, crossed_SD)


class CrossAttentionFusion(nn.Module):
    """A transformer in which one stream's tokens attend to the other streams.

    The other streams are returned unchanged. JOINT is the attending stream, after the pooler if there is one. In a
    row without its tokens, JOINT is zero.
    """

    def __init__(self, config: "CrossAttentionConfig") -> None:
        super().__init__()
        self.config = config
        self.dim = config.dim
        self.streams = tuple(config.widths)
        width = config.widths[config.queries]
        self.map = None if width == config.dim else linear(width, config.dim)
        self.lower = config.transformer.replace(depth=config.first).build()
        self.upper = nn.ModuleList(
            GroundedBlock(config) for _ in range(config.first, config.transformer.depth)
        )
        pre_norm = config.transformer.norm == "pre"
        self.norm = (
            nn.LayerNorm(config.dim, eps=config.transformer.norm_eps) if pre_norm else nn.Identity()
        )
        self.pooler = linear(config.dim, config.dim) if config.pooler else None
        self._recompute = False

    def recompute_activations(self) -> None:
        """From now on a training step stores only the inputs of every block and recomputes the rest."""
        self._recompute = True

    def forward(self, streams: Mapping[str, Features]) -> dict[str, Features]:
        """Any of the streams, (B, T, width) each -> those streams and JOINT, (B, T, dim)."""
        given = in_order(streams, self.config.widths)
        queries = self.config.queries
        if queries not in given:
            return {**given, JOINT: self.nothing(next(iter(given.values())))}
        places = Places.of(given, queries=[queries])
        packed = {stream: places.packings[stream].pack(f.tokens) for stream, f in given.items()}
        contexts = places.contexts(queries, packed)
        packing, tokens_SD = places.packings[queries], packed[queries]
        if self.map is not None:
            tokens_SD = self.map(tokens_SD)
        tokens_SD = self.lower(tokens_SD, packing)
        for block in self.upper:
            if self._recompute:
                tokens_SD = checkpoint(block, tokens_SD, packing, contexts, use_reentrant=False)
            else:
                tokens_SD = block(tokens_SD, packing, contexts)
        fused = unpacked({queries: self.norm(tokens_SD)}, places, self.config.pooling)[queries]
        joint = Features(fused.tokens, fused.mask, pooled_through(self.pooler, fused))
        return {**given, queries: fused, JOINT: joint}

    def nothing(self, like: Features) -> Features:
        """JOINT of a batch without the attending stream: no tokens, zeros."""
        rows = like.tokens.shape[0]
        tokens_BTD = like.tokens.new_zeros(rows, 0, self.dim)
        return Features(tokens_BTD, like.mask[:, :0], like.tokens.new_zeros(rows, self.dim))


@dataclass(frozen=True)
class CrossAttentionConfig(Config[Fusion]):
    """Cross-attention: one stream's tokens attend to those of the others (ALBEF, BLIP)."""

    widths: dict[str, int]
    """Stream -> width of its tokens."""
    transformer: TransformerConfig
    """The blocks of the attending stream. Their width is that of the fusion."""
    queries: str = "text"
    """The attending stream."""
    first: int = 0
    """Index of the first block with cross-attention. Earlier blocks have none (in ALBEF the lower half of BERT)."""
    pooling: FirstOrMean = "first"
    """Pooling of JOINT: the first token, or the mean of all."""
    pooler: bool = False
    """If true, apply a linear layer and tanh to JOINT's pooled vector."""

    def __post_init__(self) -> None:
        check_widths(self.widths)
        if self.queries not in self.widths or len(self.widths) < 2:
            raise ValueError(
                f"queries is '{self.queries}' and widths are {self.widths}, "
                "expected one of at least two streams"
            )
        if not 0 <= self.first < self.transformer.depth:
            raise ValueError(
                f"first is {self.first}, expected 0 to below {self.transformer.depth}, the depth"
            )
        if self.transformer.causal or self.transformer.drop_path:
            raise ValueError(
                f"transformer has causal {self.transformer.causal} and drop_path "
                f"{self.transformer.drop_path}, expected False and 0"
            )

    @property
    def dim(self) -> int:
        return self.transformer.dim

    def build(self) -> CrossAttentionFusion:
        return CrossAttentionFusion(self)
