"""Early fusion: the tokens of all streams form one sequence for one transformer.

With a deep transformer this is the single-stream model of VisualBERT (Li et al. 2019, arXiv:1908.03557, section 3.1)
and ViLT (Kim et al. 2021, arXiv:2102.03334, section 3.1).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.interfaces import JOINT, Fusion
from weft.core.named_modules import NamedModules
from weft.core.records import Features
from weft.fusion._streams import check_widths, in_order, joined, linear, map_tokens
from weft.layers.packing import Packing
from weft.layers.pooling import pool
from weft.layers.transformer import TransformerConfig


class Early(nn.Module):
    """Streams as one sequence, in the order of `widths`; each token gets the embedding of its stream.

    Only real tokens are computed: the joint sequence is packed over all streams. JOINT holds that sequence, with the
    class token first if there is one. A stream's tokens are its part of the sequence.
    """

    def __init__(self, config: "EarlyConfig") -> None:
        super().__init__()
        self.config = config
        self.dim = config.dim
        self.streams = tuple(config.widths)
        self.maps = NamedModules(
            {s: linear(width, config.dim) for s, width in config.widths.items() if config.maps}
        )
        self.types = nn.Parameter(0.02 * torch.randn(len(config.widths), config.dim))
        if config.pooling == "class":
            self.class_token = nn.Parameter(0.02 * torch.randn(config.dim))
        self.input_norm = self._norm() if config.input_norm else nn.Identity()
        self.input_dropout = nn.Dropout(config.transformer.dropout)
        self.transformer = config.transformer.build()
        self.norm = self._norm() if config.transformer.norm == "pre" else nn.Identity()
        self.pooler = linear(config.dim, config.dim) if config.pooler else None

    def _norm(self) -> nn.LayerNorm:
        return nn.LayerNorm(self.dim, eps=self.config.transformer.norm_eps)

    def forward(self, streams: Mapping[str, Features]) -> dict[str, Features]:
        """Any of the streams, (B, T, width) each -> those streams and JOINT, (B, T, dim)."""
        embedded = {s: self.embed(s, f) for s, f in in_order(streams, self.config.widths).items()}
        tokens_BTD, mask_BT = self.with_class_token(*joined(embedded))
        packing = Packing.of(mask_BT, JOINT)
        tokens_SD = self.input_dropout(self.input_norm(packing.pack(tokens_BTD)))
        tokens_SD = self.norm(self.transformer(tokens_SD, packing))
        return self.parted(packing.unpack(tokens_SD), mask_BT, embedded)

    def embed(self, stream: str, features: Features) -> Features:
        """Returns the stream's tokens in the width of the fusion, with the stream embedding added."""
        tokens_BTD = features.tokens
        if stream in self.maps:
            tokens_BTD = map_tokens(self.maps[stream], features)
        type_D = self.types[list(self.config.widths).index(stream)]
        return Features(tokens_BTD + type_D.to(tokens_BTD.dtype), features.mask, features.pooled)

    def with_class_token(self, tokens_BTD: Tensor, mask_BT: Tensor) -> tuple[Tensor, Tensor]:
        """Prepends the class token in every row that has tokens."""
        if self.config.pooling != "class":
            return tokens_BTD, mask_BT
        class_B1D = self.class_token.to(tokens_BTD.dtype).expand(tokens_BTD.shape[0], 1, -1)
        any_B1 = mask_BT.any(dim=1, keepdim=True)
        return torch.cat([class_B1D, tokens_BTD], dim=1), torch.cat([any_B1, mask_BT], dim=1)

    def parted(
        self, tokens_BTD: Tensor, mask_BT: Tensor, streams: Mapping[str, Features]
    ) -> dict[str, Features]:
        """Returns the joint sequence as JOINT, and its parts as the streams."""
        first = self.config.pooling != "mean"
        pooled_BD = pool(tokens_BTD, mask_BT, "first" if first else "mean")
        if self.pooler is not None:
            pooled_BD = torch.tanh(self.pooler(pooled_BD))
            pooled_BD = pooled_BD.masked_fill(~mask_BT.any(dim=1, keepdim=True), 0)
        fused: dict[str, Features] = {}
        start = int(self.config.pooling == "class")
        for stream, features in streams.items():
            stop = start + features.mask.shape[1]
            part_BTD = tokens_BTD[:, start:stop]
            how: Literal["first", "mean"] = "first" if self.config.pooling == "first" else "mean"
            fused[stream] = Features(part_BTD, features.mask, pool(part_BTD, features.mask, how))
            start = stop
        return {**fused, JOINT: Features(tokens_BTD, mask_BT, pooled_BD)}


@dataclass(frozen=True)
class EarlyConfig(Config[Fusion]):
    """Early fusion: the tokens of all streams as one sequence under a transformer (single stream)."""

    widths: dict[str, int]
    """Stream -> width of its tokens, in the order of the sequence."""
    transformer: TransformerConfig
    """The blocks. Their width is that of the fusion."""
    maps: bool = True
    """If true, project each stream to the fusion's width by a linear map. If false, streams must have that width."""
    input_norm: bool = False
    """If true, apply a norm before the first block, as in BERT."""
    pooling: Literal["class", "first", "mean"] = "class"
    """Pooling of JOINT: a class token of the fusion, the first real token of the sequence, or the mean. Streams are
    pooled by their first token with "first", else by the mean."""
    pooler: bool = False
    """If true, apply a linear layer and tanh to JOINT's pooled vector."""

    def __post_init__(self) -> None:
        check_widths(self.widths)
        if self.transformer.causal:
            raise ValueError("transformer.causal is True, expected False: streams see each other")
        if self.pooling == "class" and not self.transformer.depth:
            raise ValueError(
                "transformer.depth is 0, expected at least 1: the class token sees no stream without a layer"
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

    def build(self) -> Early:
        return Early(self)
