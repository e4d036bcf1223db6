"""Features of pictures without weights: histograms of colours and edges."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.interfaces import Encoder
from weft.core.ranges import COUNT, require
from weft.core.records import Features, Field
from weft.core.shapes import check_shape
from weft.encoders.values import vector_features

QUARTERS = 2
"""Parts along each side that have colour histograms, besides the whole picture."""


class Histograms(nn.Module):
    """uint8 (B, 3, H, W) -> pooled (B, D): histograms of colours and of edge directions.

    Colours: joint histograms of `levels` of red, green and blue, of the whole picture and of its quarters. Edges:
    strengths of `directions` in the cells of a grid (N. Dalal and B. Triggs, CVPR 2005, sections 6.2 to 6.4, without
    overlapping blocks). The square root of each histogram is normalised to unit length (R. Arandjelovic and A.
    Zisserman, CVPR 2012, section 3). tokens: the vector itself.
    """

    def __init__(self, config: "HistogramsConfig") -> None:
        super().__init__()
        self.config = config
        self.dim = (1 + QUARTERS**2) * config.levels**3 + config.cells**2 * config.directions

    @torch.no_grad()
    def forward(self, field: Field) -> Features:
        """Square pictures, uint8."""
        check_shape(field.values, "B 3 H W", "pictures")
        pixels_B3HW = field.values.float() / 255
        parts = [self._colours(pixels_B3HW), self._edges(pixels_B3HW)]
        return vector_features(torch.cat(parts, dim=1))

    def _colours(self, pixels_B3HW: Tensor) -> Tensor:
        """(B, 5 * levels^3)"""
        levels = self.config.levels
        level_B3HW = (pixels_B3HW * levels).long().clamp_max(levels - 1)
        place_BHW = (level_B3HW[:, 0] * levels + level_B3HW[:, 1]) * levels + level_B3HW[:, 2]
        whole = [place_BHW]
        for rows in place_BHW.tensor_split(QUARTERS, dim=1):
            whole += rows.tensor_split(QUARTERS, dim=2)
        return torch.cat([_counted(part.flatten(1), levels**3) for part in whole], dim=1)

    def _edges(self, pixels_B3HW: Tensor) -> Tensor:
        """(B, cells^2 * directions)"""
        directions, cells = self.config.directions, self.config.cells
        grey_B1HW = pixels_B3HW.mean(dim=1, keepdim=True)
        padded = F.pad(grey_B1HW, (1, 1, 1, 1), mode="replicate")
        across = padded[:, 0, 1:-1, 2:] - padded[:, 0, 1:-1, :-2]
        down = padded[:, 0, 2:, 1:-1] - padded[:, 0, :-2, 1:-1]
        strength_BHW = (across**2 + down**2).sqrt()
        # The direction of an edge, not of its gradient, so both signs are the same.
        turn_BHW = torch.atan2(down, across) / math.pi % 1.0 * directions
        below_BHW = turn_BHW.floor()
        share_BHW = turn_BHW - below_BHW
        bins = torch.arange(directions, device=grey_B1HW.device)[None, :, None, None]
        first = below_BHW.long()[:, None] % directions == bins
        second = (below_BHW.long()[:, None] + 1) % directions == bins
        votes = first * (1 - share_BHW)[:, None] + second * share_BHW[:, None]
        summed_BKCC = F.adaptive_avg_pool2d(votes * strength_BHW[:, None], cells)
        return F.normalize(summed_BKCC.flatten(1).sqrt(), dim=1)


def _counted(places_BP: Tensor, bins: int) -> Tensor:
    """(B, bins) square root of the share of each bin."""
    none = torch.zeros(places_BP.shape[0], bins, device=places_BP.device)
    counts = none.scatter_add(1, places_BP, torch.ones_like(places_BP, dtype=none.dtype))
    return (counts / places_BP.shape[1]).sqrt()


@dataclass(frozen=True)
class HistogramsConfig(Config[Encoder]):
    """Histograms of colours and edges; nothing is learned."""

    levels: int = 4
    """Levels for each of red, green and blue."""
    directions: int = 9
    """Number of edge directions in half a turn."""
    cells: int = 6
    """Cells along each side of the grid for edge directions."""

    def __post_init__(self) -> None:
        require(self, levels=COUNT, directions=COUNT, cells=COUNT)

    def build(self) -> Histograms:
        return Histograms(self)
