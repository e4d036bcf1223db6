"""Convolutions over space and time for small videos, such as of a mouth: one token a frame.

The front end of LipNet (Assael et al. 2016, arXiv:1611.01599, section 3.3), without its pooling.
"""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.interfaces import Encoder
from weft.core.ranges import COUNT, SHARE_BELOW_1, require
from weft.core.records import Features, Field
from weft.core.shapes import check_shape
from weft.encoders.weights import WithWeights
from weft.layers.convolution import Normalize, initialize_convolutions
from weft.layers.masked_convolution import PaddedBatchNorm, without_padding
from weft.layers.pooling import pool


class SpaceTimeConvolutions(nn.Module):
    """Videos (B, F, 3, S, S) uint8 -> tokens (B, F, D), one a frame; pooled: their mean.

    Each layer is a convolution over 3 frames and `kernel` x `kernel` pixels with a spatial stride of 2, batch norm,
    ReLU and dropout of whole channels. A token is the whole last grid of its frame, so it keeps positions. Without
    layers it is the pixels themselves.
    """

    def __init__(self, config: "SpaceTimeConvolutionsConfig") -> None:
        super().__init__()
        self.config = config
        self.normalize = Normalize((0.5,) * 3, (0.25,) * 3)
        self.convolutions, self.norms = nn.ModuleList(), nn.ModuleList()
        channels, kernel, side = 3, config.kernel, config.size
        for width in config.widths:
            self.convolutions.append(
                nn.Conv3d(
                    channels,
                    width,
                    (3, kernel, kernel),
                    stride=(1, 2, 2),
                    padding=(1, kernel // 2, kernel // 2),
                    bias=False,
                )
            )
            self.norms.append(PaddedBatchNorm(width))
            channels, side = width, (side + 1) // 2
        self.dim = channels * side * side
        self.dropout = nn.Dropout3d(config.dropout)
        initialize_convolutions(self)

    def forward(self, field: Field) -> Features:
        """Mask (B, F), or None if all frames are real."""
        size = self.config.size
        check_shape(field.values, "B F 3 H W", "frames of videos", H=size, W=size)
        mask_BF = field.real
        rows, frames = mask_BF.shape
        pixels = self.normalize(field.values.flatten(0, 1), self.normalize.scale.dtype)
        grid = without_padding(pixels.unflatten(0, (rows, frames)).transpose(1, 2), mask_BF)
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            grid = convolution(grid)
            normal = norm(grid.flatten(3), mask_BF).view(grid.shape)
            grid = without_padding(self.dropout(F.relu(normal)), mask_BF)
        tokens_BFD: Tensor = grid.transpose(1, 2).flatten(2)
        return Features(tokens_BFD, mask_BF, pool(tokens_BFD, mask_BF, "mean"))


@dataclass(frozen=True)
class SpaceTimeConvolutionsConfig(WithWeights, Config[Encoder]):
    """A stack of convolutions over the pictures of a small video and over time."""

    size: int
    """Side of the video in pixels."""
    widths: tuple[int, ...] = (16, 32, 64)
    """Channels of each layer. Each layer halves the sides."""
    kernel: int = 3
    """Spatial kernel size of a layer, an odd number of pixels."""
    dropout: float = 0.0
    """Dropout of whole channels in each layer."""
    weights: str | None = None
    """Safetensors file with this class's keys, or none for random weights."""

    def __post_init__(self) -> None:
        require(self, size=COUNT, kernel=COUNT, dropout=SHARE_BELOW_1)
        if self.widths and min(self.widths) < 1:
            raise ValueError(f"widths are {self.widths}, expected one or more of at least 1")
        if self.kernel % 2 == 0:
            raise ValueError(f"kernel is {self.kernel}, expected an odd number")

    def build(self) -> SpaceTimeConvolutions:
        return self.filled(SpaceTimeConvolutions(self))
