"""Convolutions over time and one attention over all frames, for sounds with a separate context for each frame."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.ranges import COUNT, at_least, require
from weft.core.records import Features
from weft.core.shapes import check_shape
from weft.decoders.velocity.base import Condition, Velocity, zeroed
from weft.layers.attention import SelfAttention
from weft.layers.packing import Packing
from weft.layers.time_convolution import TimeConvolution

KERNEL = 5
DILATIONS = (1, 2, 4, 8)
"""Dilations of the blocks, repeated in this order."""


class FrameBlock(nn.Module):
    """A dilated, gated convolution over time with a residual, modulated by time and context (WaveNet: van den Oord et
    al. 2016, arXiv:1609.03499, equation 2)."""

    def __init__(self, dim: int, dilation: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim, elementwise_affine=False)
        self.modulation = nn.Linear(dim, 2 * dim)
        reach = dilation * (KERNEL // 2)
        self.conv = TimeConvolution(dim, 2 * dim, KERNEL, padding=reach, dilation=dilation)
        self.out = zeroed(nn.Linear(dim, dim))

    def forward(self, frames_BTD: Tensor, condition_BD: Tensor, mask_BT1: Tensor) -> Tensor:
        scale, shift = self.modulation(condition_BD)[:, None].chunk(2, dim=2)
        hidden = (self.norm(frames_BTD) * (1 + scale) + shift).masked_fill(~mask_BT1, 0)
        value, gate = self.conv(hidden).chunk(2, dim=2)
        found: Tensor = frames_BTD + self.out(torch.tanh(value) * torch.sigmoid(gate))
        return found


class FrameVelocity(nn.Module):
    """(B, T, M) noisy frames -> their velocity. The context has a token for each frame, and its mask marks the real
    ones.

    After half of the blocks each frame attends to all others, so that the whole sound has one voice.
    """

    def __init__(self, config: "FrameVelocityConfig") -> None:
        super().__init__()
        self.config = config
        self.shape, self.context_dim = config.shape, config.context_dim
        dim = config.dim
        self.first = nn.Linear(config.bands, dim)
        self.told = nn.Linear(config.context_dim, dim)
        self.condition = Condition(config.context_dim, dim)
        self.blocks = nn.ModuleList(
            FrameBlock(dim, DILATIONS[number % len(DILATIONS)]) for number in range(config.depth)
        )
        self.norm1, self.attention = nn.LayerNorm(dim), SelfAttention(dim, config.heads)
        zeroed(self.attention.out)
        self.norm2 = nn.LayerNorm(dim)
        self.last = zeroed(nn.Linear(dim, config.bands))

    def forward(self, values_BX: Tensor, times_B: Tensor, context: Features) -> Tensor:
        check_shape(
            values_BX, "B T M", "noisy frames", M=self.config.bands, T=context.tokens.shape[1]
        )
        mask_BT1 = context.mask[..., None]
        condition_BD = self.condition(times_B, context.pooled)
        hidden = self.first(values_BX.masked_fill(~mask_BT1, 0))
        hidden = hidden + self.told(context.tokens.masked_fill(~mask_BT1, 0))
        packing = Packing.of(context.mask)
        for number, block in enumerate(self.blocks):
            if number == len(self.blocks) // 2:
                seen = self.attention(self.norm1(packing.pack(hidden)), packing)
                hidden = hidden + packing.unpack(seen)
            hidden = block(hidden, condition_BD, mask_BT1)
        found: Tensor = self.last(F.silu(self.norm2(hidden)))
        return found.masked_fill(~mask_BT1, 0)


@dataclass(frozen=True)
class FrameVelocityConfig(Config[Velocity]):
    """Convolutions over the frames of a sound; each frame has its own context."""

    bands: int
    """Mel bands M of a frame."""
    context_dim: int
    """Width of the context of a frame."""
    frames: int = 400
    """Maximum number of frames of a sound."""
    dim: int = 128
    depth: int = 8
    """Number of blocks. Their dilations cycle through 1, 2, 4, 8."""
    heads: int = 4
    """Heads of the attention in the middle."""

    def __post_init__(self) -> None:
        require(self, bands=COUNT, context_dim=COUNT, frames=COUNT, dim=COUNT, heads=COUNT)
        require(self, depth=at_least(1))
        if self.dim % self.heads or self.dim % 2:
            raise ValueError(f"dim is {self.dim}, expected an even multiple of heads, {self.heads}")

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of its values."""
        return self.frames, self.bands

    def build(self) -> FrameVelocity:
        return FrameVelocity(self)
