"""A U-Net over pixels (Ronneberger et al. 2015, arXiv:1505.04597), modulated by the time and the context."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.ranges import COUNT, SHARE_BELOW_1, require
from weft.core.records import Features
from weft.core.shapes import check_shape
from weft.decoders.velocity.base import Condition, Velocity, zeroed
from weft.layers.context_attention import ContextAttention
from weft.layers.convolution import by_pixel, channels_last
from weft.layers.patches import depth_to_space, space_to_depth


class ModulatedBlock(nn.Module):
    """Two 3 x 3 convolutions with a residual; the condition scales and shifts the second norm.

    Adaptive group normalisation, Dhariwal & Nichol 2021, arXiv:2105.05233, section 3.
    """

    def __init__(self, width_in: int, width: int, condition: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(_groups(width_in), width_in)
        self.conv1 = nn.Conv2d(width_in, width, 3, padding=1)
        self.modulation = nn.Linear(condition, 2 * width)
        self.norm2 = nn.GroupNorm(_groups(width), width, affine=False)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = zeroed(nn.Conv2d(width, width, 3, padding=1))
        self.skip = nn.Identity() if width_in == width else nn.Conv2d(width_in, width, 1)

    def forward(self, grid_BCHW: Tensor, condition_BD: Tensor) -> Tensor:
        hidden = self.conv1(F.silu(self.norm1(grid_BCHW)))
        scale, shift = self.modulation(condition_BD)[:, :, None, None].chunk(2, dim=1)
        hidden = self.norm2(hidden) * (1 + scale) + shift
        hidden = self.conv2(self.dropout(F.silu(hidden)))
        found: Tensor = self.skip(grid_BCHW) + hidden
        return found


class UNet(nn.Module):
    """(B, C, H, W) noisy pixels or latents -> their velocity (B, C, H, W).

    Squares of `patch` x `patch` values become one position with more channels. This loses little detail and divides
    rows and columns by `patch`. Each of the widths is a level at half the side of the one before, with `blocks`
    blocks down and up. With `attention`, the positions of the lowest level attend to the tokens of the context.
    """

    def __init__(self, config: "UNetConfig") -> None:
        super().__init__()
        self.config = config
        self.shape = config.shape
        self.context_dim = config.context_dim
        condition, channels = config.condition, config.channels * config.patch**2
        self.condition = Condition(config.context_dim, condition)
        widths = config.widths
        self.first = nn.Conv2d(channels, widths[0], 3, padding=1)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        kept = [widths[0]]
        width = widths[0]
        for level, wide in enumerate(widths):
            for _ in range(config.blocks):
                self.down.append(ModulatedBlock(width, wide, condition, config.dropout))
                width = wide
                kept.append(width)
            if level < len(widths) - 1:
                self.down.append(nn.Conv2d(width, width, 3, stride=2, padding=1))
                kept.append(width)
        self.middle = ModulatedBlock(width, width, condition, config.dropout)
        self.attention = (
            ContextAttention(width, config.context_dim, config.heads) if config.attention else None
        )
        for level, wide in reversed(list(enumerate(widths))):
            for _ in range(config.blocks + 1):
                self.up.append(ModulatedBlock(width + kept.pop(), wide, condition, config.dropout))
                width = wide
            if level:
                self.up.append(nn.Conv2d(width, width, 3, padding=1))
        self.norm = nn.GroupNorm(_groups(width), width)
        self.last = zeroed(nn.Conv2d(width, channels, 3, padding=1))
        channels_last(self)

    def forward(self, values_BX: Tensor, times_B: Tensor, context: Features) -> Tensor:
        size = self.config.size
        check_shape(values_BX, "B C H W", "noisy values", C=self.config.channels, H=size, W=size)
        check_shape(context.pooled, "B D", "the context", D=self.context_dim)
        condition_BD = self.condition(times_B, context.pooled)
        grid = self.first(by_pixel(space_to_depth(values_BX, self.config.patch)))
        kept = [grid]
        for layer in self.down:
            grid = layer(grid, condition_BD) if isinstance(layer, ModulatedBlock) else layer(grid)
            kept.append(grid)
        grid = self.middle(grid, condition_BD)
        if self.attention is not None:
            grid = self.attention(grid, context)
        for layer in self.up:
            if isinstance(layer, ModulatedBlock):
                grid = layer(torch.cat([grid, kept.pop()], dim=1), condition_BD)
            else:
                grid = layer(F.interpolate(grid, scale_factor=2.0, mode="nearest"))
        found = self.last(F.silu(self.norm(grid)))
        return depth_to_space(found, self.config.patch)


def _groups(width: int) -> int:
    """Returns the number of groups: about 8 channels in each, and a divisor of the width."""
    return next(groups for groups in range(max(1, width // 8), 0, -1) if width % groups == 0)


@dataclass(frozen=True)
class UNetConfig(Config[Velocity]):
    """A U-Net over pixels."""

    size: int
    """Side of the values, in pixels of a picture or positions of latents."""
    context_dim: int
    """Width of the context."""
    widths: tuple[int, ...] = (64, 96, 128)
    """Channels of each level, the finest first."""
    blocks: int = 1
    """Number of blocks of a level on the way down; one more on the way up."""
    patch: int = 2
    """Side of the square of pixels that forms one position."""
    condition: int = 128
    """Width of the vector of time and context."""
    attention: bool = True
    """If true, the lowest level attends to the tokens of the context. The pooled context is read in any case."""
    heads: int = 4
    """Heads of that attention."""
    dropout: float = 0.0
    channels: int = 3
    """Channels of the values: 3 for pixels, another number for latents of a codec."""

    def __post_init__(self) -> None:
        require(self, size=COUNT, context_dim=COUNT, widths=COUNT, blocks=COUNT, patch=COUNT)
        require(self, condition=COUNT, heads=COUNT, channels=COUNT, dropout=SHARE_BELOW_1)
        if not self.widths:
            raise ValueError("widths is (), expected one level or more")
        least = self.patch * 2 ** (len(self.widths) - 1)
        if self.size % least:
            raise ValueError(
                f"size is {self.size}, expected a multiple of {least}: patch {self.patch} and {len(self.widths)} levels"
            )
        if self.condition % 2:
            raise ValueError(f"condition is {self.condition}, expected an even number")
        if self.attention and self.widths[-1] % self.heads:
            raise ValueError(
                f"heads is {self.heads}, expected a divisor of the last width, {self.widths[-1]}"
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of its values."""
        return self.channels, self.size, self.size

    def build(self) -> UNet:
        return UNet(self)
