"""Convolutions that compress a picture to a small grid of latents and decode it (Rombach et al. 2022,
arXiv:2112.10752, section 3.1).
"""

import itertools
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.ranges import COUNT, require
from weft.core.shapes import check_shape
from weft.decoders.codecs.base import Codec
from weft.layers.convolution import by_pixel, channels_last
from weft.layers.patches import depth_to_space, space_to_depth

CHANNELS = 3


class Block(nn.Module):
    """Two 3 x 3 convolutions with a residual that starts at zero.

    It has no norm: a norm over a picture is that of its ground, and small objects are then learned far more slowly.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = (nn.Conv2d(width, width, 3, padding=1) for _ in range(2))
        nn.init.zeros_(self.conv2.weight)

    def forward(self, grid_BCHW: Tensor) -> Tensor:
        found: Tensor = grid_BCHW + self.conv2(F.silu(self.conv1(F.silu(grid_BCHW))))
        return found


class Doubling(nn.Module):
    """(B, width_in, H, W) -> (B, width, 2 H, 2 W), each position to a square of four."""

    def __init__(self, width_in: int, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width_in, 4 * width, 1)

    def forward(self, grid_BCHW: Tensor) -> Tensor:
        return by_pixel(depth_to_space(self.conv(grid_BCHW), 2))


class PictureCodec(nn.Module):
    """Pictures (B, 3, S, S) in [-1, 1] -> latents (B, C, H, W) -> pictures.

    Squares of `patch` x `patch` pixels become one position; each further width halves the sides. The latent of each
    position has a mean square of 1, which is the scale of a flow's noise without any statistics of the data.
    """

    def __init__(self, config: "PictureCodecConfig") -> None:
        super().__init__()
        self.config = config
        self.shape, self.latents = config.shape, config.latents
        pixels, widths = CHANNELS * config.patch**2, config.widths
        down: list[nn.Module] = [nn.Conv2d(pixels, widths[0], 3, padding=1), Block(widths[0])]
        for before, after in itertools.pairwise(widths):
            down += [nn.Conv2d(before, after, 3, stride=2, padding=1), Block(after)]
        self.down = nn.Sequential(*down, nn.SiLU(), nn.Conv2d(widths[-1], config.channels, 1))
        up: list[nn.Module] = [nn.Conv2d(config.channels, widths[-1], 3, padding=1)]
        for before, after in itertools.pairwise(reversed(widths)):
            up += [Block(before), Doubling(before, after)]
        up += [Block(widths[0]), nn.SiLU(), nn.Conv2d(widths[0], pixels, 3, padding=1)]
        self.up = nn.Sequential(*up)
        channels_last(self)

    def encode(self, values_BX: Tensor) -> Tensor:
        """(B, C, H, W) latents."""
        size = self.config.size
        check_shape(values_BX, "B C H W", "pictures", C=CHANNELS, H=size, W=size)
        grid: Tensor = self.down(by_pixel(space_to_depth(values_BX, self.config.patch)))
        return scaled(grid)

    def decode(self, latents_BX: Tensor) -> Tensor:
        """(B, 3, S, S), about in [-1, 1]."""
        channels, height, width = self.latents
        check_shape(latents_BX, "B C H W", "latents", C=channels, H=height, W=width)
        return depth_to_space(self.up(by_pixel(latents_BX)), self.config.patch)


def scaled(grid_BCHW: Tensor) -> Tensor:
    """Scales the vector of each position to a mean square of 1."""
    square = grid_BCHW.float().square().mean(1, keepdim=True)
    return grid_BCHW * (square + 1e-6).rsqrt().to(grid_BCHW.dtype)


@dataclass(frozen=True)
class PictureCodecConfig(Config[Codec]):
    """Convolutions that compress a picture to a grid of latents and decode it."""

    size: int
    """Side of the picture in pixels."""
    channels: int = 8
    """Channels of the latents."""
    widths: tuple[int, ...] = (32, 64, 96)
    """Channels of each level, the finest first, each at half the side of the one before."""
    patch: int = 2
    """Side of the square of pixels that forms one position of the finest level."""

    def __post_init__(self) -> None:
        require(self, size=COUNT, channels=COUNT, widths=COUNT, patch=COUNT)
        if not self.widths:
            raise ValueError("widths is (), expected one level or more")
        if self.size % self.reduction:
            raise ValueError(
                f"size is {self.size}, expected a multiple of {self.reduction}: patch {self.patch} and "
                f"{len(self.widths)} levels"
            )

    @property
    def reduction(self) -> int:
        """Pixels of a side for each position of the latents."""
        return self.patch << (len(self.widths) - 1)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a picture."""
        return CHANNELS, self.size, self.size

    @property
    def latents(self) -> tuple[int, ...]:
        """Shape of its latents."""
        side = self.size // self.reduction
        return self.channels, side, side

    def build(self) -> PictureCodec:
        return PictureCodec(self)
