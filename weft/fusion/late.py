"""Late fusion: combines the pooled vectors of the streams, which do not attend to each other."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.interfaces import JOINT, Fusion
from weft.core.named_modules import NamedModules
from weft.core.records import Features
from weft.fusion._streams import check_widths, in_order, linear

Combine = Literal["concatenation", "sum", "product", "gated", "attention"]


class Late(nn.Module):
    """Projects each stream's pooled vector to the fusion's width; `combine` joins them to JOINT.

    Missing streams have no effect, whatever else is in the batch: they are zeros in a concatenation or sum and ones
    in a product, and get no weight from a gate or attention. The streams are returned unchanged. JOINT's tokens are
    the projected vectors, one for each stream.
    """

    def __init__(self, config: "LateConfig") -> None:
        super().__init__()
        self.config = config
        self.dim = config.dim
        self.streams = tuple(config.widths)
        self.maps = NamedModules({s: linear(w, config.dim) for s, w in config.widths.items()})
        joined = len(config.widths) * config.dim
        if config.combine == "concatenation":
            self.out = linear(joined, config.dim)
        if config.combine == "gated":
            self.gates = linear(joined, joined)
        if config.combine == "attention":
            self.hidden = linear(config.dim, config.dim)
            self.score = nn.Linear(config.dim, 1, bias=False)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, streams: Mapping[str, Features]) -> dict[str, Features]:
        """Any of the streams, pooled (B, width) each -> those streams and JOINT, pooled (B, dim)."""
        given = in_order(streams, self.config.widths)
        present_BT = torch.stack([features.present for features in given.values()], dim=1)
        tokens_BTD = torch.stack([self.mapped(s, f) for s, f in given.items()], dim=1)
        tokens_BTD = tokens_BTD.masked_fill(~present_BT[:, :, None], 0)
        pooled_BD = self.combine(tokens_BTD, present_BT, list(given))
        pooled_BD = pooled_BD.masked_fill(~present_BT.any(dim=1, keepdim=True), 0)
        return {**given, JOINT: Features(tokens_BTD, present_BT, pooled_BD)}

    def mapped(self, stream: str, features: Features) -> Tensor:
        """(B, D) the stream's pooled vector, projected to the width of the fusion."""
        pooled_BD = features.pooled
        if self.config.norm:
            pooled_BD = F.layer_norm(pooled_BD, pooled_BD.shape[1:])
        mapped_BD: Tensor = self.maps[stream](pooled_BD)
        if self.config.activation == "tanh":
            mapped_BD = torch.tanh(mapped_BD)
        elif self.config.activation == "relu":
            mapped_BD = F.relu(mapped_BD)
        dropped_BD: Tensor = self.dropout(mapped_BD)
        return dropped_BD

    def combine(self, tokens_BTD: Tensor, present_BT: Tensor, streams: list[str]) -> Tensor:
        """(B, D) combines the vectors of the given streams, which are zero where a row lacks one."""
        combine = self.config.combine
        if combine == "sum":
            return tokens_BTD.sum(dim=1)
        if combine == "product":
            return tokens_BTD.masked_fill(~present_BT[:, :, None], 1).prod(dim=1)
        if combine == "concatenation":
            joined_BD: Tensor = self.out(self.in_slots(tokens_BTD, streams))
            return joined_BD
        if combine == "attention":
            scores_BT1 = self.score(torch.tanh(self.hidden(tokens_BTD)))
        else:
            gates_BD = self.gates(self.in_slots(tokens_BTD, streams))
            slots = [list(self.config.widths).index(stream) for stream in streams]
            scores_BT1 = gates_BD.unflatten(1, (-1, self.dim))[:, slots]
        # A row without streams gets equal weights of zeros, not NaN.
        missing_BT1 = ~(present_BT | ~present_BT.any(dim=1, keepdim=True))[:, :, None]
        weights_BT1 = scores_BT1.masked_fill(missing_BT1, -torch.inf).float().softmax(dim=1)
        weighted_BD: Tensor = (weights_BT1.to(tokens_BTD.dtype) * tokens_BTD).sum(dim=1)
        return weighted_BD

    def in_slots(self, tokens_BTD: Tensor, streams: list[str]) -> Tensor:
        """(B, streams * D) concatenates each stream's vector at its position, with zeros for absent streams."""
        place = {stream: number for number, stream in enumerate(streams)}
        absent_BD = torch.zeros_like(tokens_BTD[:, 0])
        parts = [tokens_BTD[:, place[s]] if s in place else absent_BD for s in self.config.widths]
        return torch.cat(parts, dim=1)


@dataclass(frozen=True)
class LateConfig(Config[Fusion]):
    """Late fusion of pooled vectors: concatenation, sum, product, gated or attention."""

    widths: dict[str, int]
    """Stream -> width of its pooled vector."""
    dim: int
    """Width of the projected streams and of the result."""
    combine: Combine = "concatenation"
    """concatenation: a linear map of the concatenated vectors. product: elementwise, as in Antol et al. 2015
    (arXiv:1505.00468, section 4). gated: every element is a weighted mean of the streams, with a softmax over the
    present streams as weights (for two streams the unit of Arevalo et al. 2017, arXiv:1702.01992, section 3.1).
    attention: one weight for each stream (Bahdanau et al. 2015, arXiv:1409.0473, appendix A.1.2, without a query)."""
    activation: Literal["none", "tanh", "relu"] = "none"
    """Activation of the projected vectors. Before a product, tanh keeps every factor small, so that none dominates
    learning."""
    norm: bool = False
    """If true, normalise each vector to mean 0 and variance 1 first, so that encoders of any scale fit."""
    dropout: float = 0.0
    """Dropout of the projected vectors."""

    def __post_init__(self) -> None:
        check_widths(self.widths)
        if self.dim < 1:
            raise ValueError(f"dim is {self.dim}, expected at least 1")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is {self.dropout}, expected a number in [0, 1)")

    def build(self) -> Late:
        return Late(self)
