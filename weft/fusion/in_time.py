"""Fusion at each time step: simultaneous sound and video become one token."""

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
from weft.fusion._streams import check_widths, in_order, linear, map_tokens
from weft.layers.pooling import pool


class InTime(nn.Module):
    """Each time step is the gate-weighted sum of the streams' projected tokens, times the number of streams with a
    token there.

    The gate reads the tokens of all streams at the time step and gives each stream a weight (a softmax over the
    streams with a token there; compare Arevalo et al. 2017, arXiv:1702.01992, section 3.1). If the projections are
    logits, trained by heads of each stream, the sum is a product of experts: log-probabilities are added with weights
    that change over time, as in a multi-stream HMM (Potamianos et al. 2003, Recent advances in the automatic
    recognition of audiovisual speech, section IV). Equal weights give the product for independent streams.

    A row has as many time steps as its longest stream. A missing stream gets no weight. JOINT's tokens are the time
    steps; the streams are returned projected; all pooled vectors are means.
    """

    def __init__(self, config: "InTimeConfig") -> None:
        super().__init__()
        self.config = config
        self.dim = config.dim
        self.streams = tuple(config.widths)
        self.norms = NamedModules(
            {s: nn.LayerNorm(w, elementwise_affine=False) for s, w in config.widths.items()}
        )
        self.dropout = nn.Dropout(config.dropout)
        self.maps = NamedModules({s: linear(w, config.dim) for s, w in config.widths.items()})
        self.gate = linear(sum(config.widths.values()), len(config.widths))

    def forward(self, streams: Mapping[str, Features]) -> dict[str, Features]:
        """Any of the streams, (B, T, width) each -> those streams, (B, T, dim), and JOINT, (B, P, dim)."""
        normed = self._normed(streams)
        mapped = {name: self._mapped(name, features) for name, features in normed.items()}
        there_BPS = self._there(normed)
        tokens = [self._places(name, mapped, self.dim, there_BPS) for name in self.streams]
        tokens_BPSD = torch.stack(tokens, 2)
        if self.training and self.config.gate_only:
            tokens_BPSD = tokens_BPSD.detach()
        weights_BPS = self._weights(normed, there_BPS) * there_BPS.sum(2, keepdim=True)
        fused_BPD = (weights_BPS[..., None] * tokens_BPSD).sum(2)
        mask_BP = there_BPS.any(2)
        return {**mapped, JOINT: Features(fused_BPD, mask_BP, pool(fused_BPD, mask_BP, "mean"))}

    def place_weights(self, streams: Mapping[str, Features]) -> Tensor:
        """(B, P, S) weight of each stream at each time step, in the order of `widths`; 0 in the padding."""
        normed = self._normed(streams)
        return self._weights(normed, self._there(normed))

    def _normed(self, streams: Mapping[str, Features]) -> dict[str, Features]:
        """Returns the streams in order, each token normalised to mean 0 and variance 1, with dropout; 0 in the
        padding."""
        found = {}
        for name, features in in_order(streams, self.config.widths).items():
            tokens_BTW = self.dropout(map_tokens(self.norms[name], features))
            found[name] = Features(tokens_BTW, features.mask, features.pooled)
        return found

    def _mapped(self, name: str, features: Features) -> Features:
        tokens_BTD = map_tokens(self.maps[name], features)
        return Features(tokens_BTD, features.mask, pool(tokens_BTD, features.mask, "mean"))

    def _there(self, normed: Mapping[str, Features]) -> Tensor:
        """(B, P, S) True if a stream has a token. At least one time step, so that every parameter has a gradient on
        every rank."""
        masks = {
            name: features.mask.repeat_interleave(self._times(name), 1)
            for name, features in normed.items()
        }
        places = max(1, *(mask.shape[1] for mask in masks.values()))
        some = next(iter(masks.values()))
        none = some.new_zeros(some.shape[0], 0)  # len() would fix the number of rows of an export
        padded = [
            F.pad(mask, (0, places - mask.shape[1]))
            for mask in (masks.get(name, none) for name in self.streams)
        ]
        return torch.stack(padded, 2)

    def _places(
        self, name: str, streams: Mapping[str, Features], width: int, there_BPS: Tensor
    ) -> Tensor:
        """(B, P, width) the token of a stream at each time step, 0 if there is none."""
        if name not in streams:
            some = next(iter(streams.values())).tokens
            return some.new_zeros(*there_BPS.shape[:2], width)
        tokens_BTW = streams[name].tokens.repeat_interleave(self._times(name), 1)
        return F.pad(tokens_BTW, (0, 0, 0, there_BPS.shape[1] - tokens_BTW.shape[1]))

    def _times(self, name: str) -> int:
        return self.config.repeat.get(name, 1)

    def _weights(self, normed: Mapping[str, Features], there_BPS: Tensor) -> Tensor:
        """(B, P, S) weights of the gate."""
        tokens = [self._places(s, normed, w, there_BPS) for s, w in self.config.widths.items()]
        tokens_BPW = torch.cat(tokens, 2)
        if self.training and self.config.gate_only:
            tokens_BPW = tokens_BPW.detach()
        scores_BPS: Tensor = self.gate(tokens_BPW).float()
        # A time step without tokens gets equal weights of zeros, not NaN.
        none_BP1 = ~there_BPS.any(2, keepdim=True)
        shares_BPS = scores_BPS.masked_fill(~(there_BPS | none_BP1), -torch.inf).softmax(2)
        weights_BPS: Tensor = shares_BPS.masked_fill(~there_BPS, 0).to(tokens_BPW.dtype)
        return weights_BPS


@dataclass(frozen=True)
class InTimeConfig(Config[Fusion]):
    """Streams that run in time together, such as sound and picture of a speaker, weighted by a gate."""

    widths: dict[str, int]
    """Stream -> width of its tokens, which are in order of time."""
    dim: int
    """Width of the projected streams and of the result. With a decoder that reads tokens as logits, the number of its
    outputs."""
    repeat: dict[str, int] = field(default_factory=dict)
    """Stream -> number of time steps for which each of its tokens is repeated (default 1), so that all streams have
    the same number of time steps a second."""
    dropout: float = 0.0
    """Dropout of the streams' tokens."""
    gate_only: bool = False
    """If true, gradients from JOINT train only the gate, and each stream is trained by heads of its own, as without
    the others. If false, the fusion relies on the stream that is easier to learn from, and the others learn
    little."""

    def __post_init__(self) -> None:
        check_widths(self.widths)
        require(self, dim=COUNT, dropout=SHARE_BELOW_1)
        for name, times in self.repeat.items():
            if name not in self.widths or times < 1:
                raise ValueError(
                    f"repeat is {self.repeat}, expected streams of widths, each at least once"
                )

    def build(self) -> InTime:
        return InTime(self)
