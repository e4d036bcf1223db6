"""Concatenates the pooled vectors of the streams without learned weights."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.interfaces import JOINT, Fusion
from weft.core.records import Features
from weft.fusion._streams import check_widths, in_order


class SideBySide(nn.Module):
    """JOINT: the pooled vectors in the order of `widths`, each followed by a 1 if the row has the stream.

    For a missing stream all are 0. Nothing is learned, so heads on JOINT read the encoders' own features. JOINT has
    one token, the pooled vector itself; the streams are returned unchanged.
    """

    def __init__(self, config: "SideBySideConfig") -> None:
        super().__init__()
        self.config = config
        self.dim = config.dim
        self.streams = tuple(config.widths)

    def forward(self, streams: Mapping[str, Features]) -> dict[str, Features]:
        """Any of the streams, pooled (B, width) each -> those streams and JOINT, pooled (B, dim)."""
        given = in_order(streams, self.config.widths)
        first = next(iter(given.values())).pooled
        parts: list[Tensor] = []
        for stream, width in self.config.widths.items():
            if stream in given:
                there_B1 = given[stream].present[:, None]
                parts += [given[stream].pooled.masked_fill(~there_B1, 0), there_B1.to(first.dtype)]
            else:
                parts.append(first.new_zeros(len(first), width + 1))
        pooled_BD = torch.cat(parts, dim=1)
        any_B1 = torch.stack([f.present for f in given.values()]).any(dim=0)[:, None]
        return {**given, JOINT: Features(pooled_BD[:, None], any_B1, pooled_BD)}


@dataclass(frozen=True)
class SideBySideConfig(Config[Fusion]):
    """Concatenates the pooled vectors, each followed by 1 if the stream is present and by 0 if not."""

    widths: dict[str, int]
    """Stream -> width of its pooled vector."""

    def __post_init__(self) -> None:
        check_widths(self.widths)

    @property
    def dim(self) -> int:
        """The sum of the widths, plus one for each stream."""
        return sum(self.widths.values()) + len(self.widths)

    def build(self) -> SideBySide:
        return SideBySide(self)
