"""Convolutions that expand a vector to a grid, coarse to fine."""

import itertools
from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from weft.layers.convolution import by_pixel, channels_last, initialize_leaky


class ModulatedStage(nn.Module):
    """Doubles both sides; two 3 x 3 convolutions with a residual, modulated by the vector.

    Each grid is normalised; then each channel is scaled by a linear map of the vector (conditional normalisation:
    Dumoulin et al. 2017, arXiv:1610.07629, equation 5).
    """

    def __init__(self, width_in: int, width: int, condition: int) -> None:
        super().__init__()
        self.modulation1, self.modulation2 = (
            nn.Linear(condition, 2 * one) for one in (width_in, width)
        )
        self.conv1 = nn.Conv2d(width_in, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.skip = nn.Conv2d(width_in, width, 1, bias=False)

    def forward(self, grid_BCHW: Tensor, vector_BD: Tensor) -> Tensor:
        grid_BCHW = F.interpolate(grid_BCHW, scale_factor=2.0, mode="nearest")
        hidden = self.conv1(F.leaky_relu(_modulated(grid_BCHW, self.modulation1(vector_BD)), 0.2))
        hidden = self.conv2(F.leaky_relu(_modulated(hidden, self.modulation2(vector_BD)), 0.2))
        found: Tensor = self.skip(grid_BCHW) + hidden
        return found


def _modulated(grid_BCHW: Tensor, scale_and_shift_BK: Tensor) -> Tensor:
    """Normalises each grid by its mean and variance over all channels, then scales and shifts each channel."""
    scale, shift = scale_and_shift_BK[:, :, None, None].chunk(2, dim=1)
    return F.group_norm(grid_BCHW, 1) * (1 + scale) + shift


class Upsampling(nn.Module):
    """(B, K) vectors -> (B, C, H, W): a linear map to the coarsest grid, then one stage for each further width.

    start: rows and columns of the coarsest grid. condition: width of the vector that modulates the stages.
    """

    def __init__(
        self,
        in_dim: int,
        widths: Sequence[int],
        start: tuple[int, int],
        channels: int,
        condition: int,
    ) -> None:
        super().__init__()
        self.start, self.width = start, widths[0]
        self.mapping = nn.Sequential(
            nn.Linear(in_dim, condition),
            nn.LeakyReLU(0.2),
            nn.Linear(condition, condition),
            nn.LeakyReLU(0.2),
        )
        self.first = nn.Linear(condition, widths[0] * start[0] * start[1])
        self.stages = nn.ModuleList(
            ModulatedStage(before, after, condition) for before, after in itertools.pairwise(widths)
        )
        self.last = nn.Conv2d(widths[-1], channels, 3, padding=1)
        initialize_leaky(self)
        channels_last(self)

    def forward(self, vector_BK: Tensor) -> Tensor:
        vector_BD = self.mapping(vector_BK)
        grid = by_pixel(self.first(vector_BD).view(-1, self.width, *self.start))
        for stage in self.stages:
            grid = stage(grid, vector_BD)
        found: Tensor = self.last(F.leaky_relu(F.group_norm(grid, 1), 0.2))
        return found
