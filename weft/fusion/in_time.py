"""Fusion place by place in time: what is heard and what is seen at the same moment becomes one token."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.interfaces import JOINT, Fusion
from weft.core.named_modules import NamedModules
from weft.core.ranges import COUNT, SHARE_BELOW_1, require
from weft.core.records import Features
from weft.fusion._streams import check_widths, in_order, linear
from weft.layers.packing import Packing
from weft.layers.pooling import pool
from weft.layers.recurrence import Recurrence, recur


class InTime(nn.Module):
    """At each place the sum of the streams' tokens, mapped to the fusion's width, by the weights of a gate; then a GRU
    in both directions over the places.

    The gate sees the tokens of all streams at the place and gives each stream a weight (a softmax over those that
    have a token there; compare Arevalo et al. 2017, arXiv:1702.01992, section 3.1). A row has as many places as its
    longest stream; a stream that it lacks gets no weight. JOINT's tokens are the places, its pooled vector their mean;
    the streams are returned as they came.
    """

    def __init__(self, config: "InTimeConfig") -> None:
        super().__init__()
        self.config = config
        self.dim = config.dim
        self.streams = tuple(config.widths)
        self.norms = NamedModules(
            {s: nn.LayerNorm(w, elementwise_affine=False) for s, w in config.widths.items()}
        )
        self.maps = NamedModules({s: linear(w, config.dim) for s, w in config.widths.items()})
        self.gate = linear(len(config.widths) * config.dim, len(config.widths))
        self.dropout = nn.Dropout(config.dropout)
        self.recurrence: Recurrence = nn.GRU(
            config.dim,
            config.dim // 2,
            num_layers=config.depth,
            bidirectional=True,
            batch_first=True,
        )
        self.norm = nn.LayerNorm(config.dim)

    def forward(self, streams: Mapping[str, Features]) -> dict[str, Features]:
        """Any of the streams, (B, T, width) each -> those streams and JOINT, (B, P, dim)."""
        given, tokens_BPSD, there_BPS = self._places(streams)
        weights_BPS = self._weights(tokens_BPSD, there_BPS)
        fused_BPD = self.dropout((weights_BPS[..., None] * tokens_BPSD).sum(2))
        mask_BP = there_BPS.any(2)
        packing = Packing.of(mask_BP)
        over_BPD, _ = recur(self.recurrence, fused_BPD, mask_BP)
        tokens_BPD = packing.unpack(self.norm(packing.pack(over_BPD)))
        pooled_BD = pool(tokens_BPD, mask_BP, "mean")
        return {**given, JOINT: Features(tokens_BPD, mask_BP, pooled_BD)}

    def place_weights(self, streams: Mapping[str, Features]) -> Tensor:
        """(B, P, S) how much of each place comes from each stream, in the order of `widths`; 0 in the padding."""
        _, tokens_BPSD, there_BPS = self._places(streams)
        return self._weights(tokens_BPSD, there_BPS)

    def _places(
        self, streams: Mapping[str, Features]
    ) -> tuple[dict[str, Features], Tensor, Tensor]:
        """The streams in order; their mapped tokens (B, P, S, D), 0 where there is none; where there are some."""
        given = in_order(streams, self.config.widths)
        mapped = {name: self._mapped(name, features) for name, features in given.items()}
        # One place at least, so that every parameter has a gradient on every rank.
        places = max(1, *(mask_BP.shape[1] for _, mask_BP in mapped.values()))
        some_BPD = next(iter(mapped.values()))[0]
        nothing = (
            some_BPD.new_zeros(some_BPD.shape[0], places, self.dim),
            some_BPD.new_zeros(some_BPD.shape[0], places, dtype=torch.bool),
        )
        filled = {
            name: (
                F.pad(tokens, (0, 0, 0, places - tokens.shape[1])),
                F.pad(mask, (0, places - mask.shape[1])),
            )
            for name, (tokens, mask) in mapped.items()
        }
        slots = [filled.get(name, nothing) for name in self.config.widths]
        tokens_BPSD = torch.stack([tokens for tokens, _ in slots], dim=2)
        return given, tokens_BPSD, torch.stack([mask for _, mask in slots], dim=2)

    def _mapped(self, name: str, features: Features) -> tuple[Tensor, Tensor]:
        """Tokens (B, P, D) and mask (B, P) of a stream; each token stands at as many places as it is repeated."""
        packing = Packing.of(features.mask)
        mapped_SD = self.maps[name](self.norms[name](packing.pack(features.tokens)))
        times = self.config.repeat.get(name, 1)
        tokens_BTD = packing.unpack(mapped_SD)
        tokens_BPD = tokens_BTD[:, :, None].expand(-1, -1, times, -1).flatten(1, 2)
        return tokens_BPD, packing.mask[..., None].expand(-1, -1, times).flatten(1)

    def _weights(self, tokens_BPSD: Tensor, there_BPS: Tensor) -> Tensor:
        scores_BPS: Tensor = self.gate(tokens_BPSD.flatten(2)).float()
        # A place without any token gets an even share of nothing, not NaN.
        none_BP1 = ~there_BPS.any(2, keepdim=True)
        shares_BPS = scores_BPS.masked_fill(~(there_BPS | none_BP1), -torch.inf).softmax(2)
        weights_BPS: Tensor = shares_BPS.masked_fill(~there_BPS, 0).to(tokens_BPSD.dtype)
        return weights_BPS


@dataclass(frozen=True)
class InTimeConfig(Config[Fusion]):
    """Streams that run in time together, such as the sound and the picture of a speaker: a gate and a GRU."""

    widths: dict[str, int]
    """Stream -> width of its tokens, which are in order of time."""
    dim: int
    """Width to which every stream is mapped, and of the result."""
    repeat: dict[str, int] = field(default_factory=dict)
    """Stream -> at how many places each of its tokens stands (1 if not given), so that all streams have the same
    number of places a second."""
    depth: int = 1
    """Layers of the GRU."""
    dropout: float = 0.0
    """Of the fused tokens."""

    def __post_init__(self) -> None:
        check_widths(self.widths)
        require(self, dim=COUNT, depth=COUNT, dropout=SHARE_BELOW_1)
        if self.dim % 2:
            raise ValueError(f"dim is {self.dim}, expected an even number")
        for name, times in self.repeat.items():
            if name not in self.widths or times < 1:
                raise ValueError(
                    f"repeat is {self.repeat}, expected streams of widths, each at least once"
                )

    def build(self) -> InTime:
        return InTime(self)
