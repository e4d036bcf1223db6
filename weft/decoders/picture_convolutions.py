"""Convolutions that draw a picture, coarse to fine, from one vector: of a GAN's generator, of an autoencoder."""

import itertools
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.interfaces import Decoder
from weft.core.ranges import COUNT, at_least, require
from weft.core.records import Features, Field
from weft.core.shapes import check_shape
from weft.decoders.drawing import DrawingConfig, checked_noise, noise_of
from weft.layers.convolution import by_pixel, channels_last

CHANNELS = 3


class ModulatedStage(nn.Module):
    """Doubles both sides; two 3 x 3 convolutions around a residual, modulated by the vector.

    Each channel is scaled by a linear map of the vector after a normalisation of each picture by itself (conditional
    normalisation: Dumoulin et al. 2017, arXiv:1610.07629, equation 5).
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
    """Every picture by its own mean and variance over all channels, then each channel scaled and shifted."""
    normal = F.group_norm(grid_BCHW, 1)
    scale, shift = scale_and_shift_BK[:, :, None, None].chunk(2, dim=1)
    return normal * (1 + scale) + shift


class PictureConvolutions(nn.Module):
    """The pooled context (B, D), and noise beside it, -> pixels (B, 3, S, S) in [-1, 1].

    The vector is mapped to a grid of 4 x 4 places, each stage doubles its sides.
    """

    def __init__(self, config: "PictureConvolutionsConfig") -> None:
        super().__init__()
        self.config = config
        self.shape = config.shape
        self.noise = (config.noise,) if config.noise else ()
        wide, widths = config.condition, config.widths
        self.mapping = nn.Sequential(
            nn.Linear(config.context_dim + config.noise, wide),
            nn.LeakyReLU(0.2),
            nn.Linear(wide, wide),
            nn.LeakyReLU(0.2),
        )
        self.first = nn.Linear(wide, widths[0] * START**2)
        self.stages = nn.ModuleList(
            ModulatedStage(before, after, wide) for before, after in itertools.pairwise(widths)
        )
        self.last = nn.Conv2d(widths[-1], CHANNELS, 3, padding=1)
        channels_last(self)

    def draw(
        self,
        context: Features,
        noise: Tensor | None,
        way: DrawingConfig,  # noqa: ARG002
    ) -> Tensor:
        """(B, 3, S, S) drawn in one step."""
        check_shape(context.pooled, "B D", "the context", D=self.config.context_dim)
        vector_BK = context.pooled
        if self.noise:
            noise_BN = checked_noise(noise, context, self.noise)
            vector_BK = torch.cat([vector_BK, noise_BN.to(vector_BK.dtype)], dim=1)
        vector_BD = self.mapping(vector_BK)
        grid = by_pixel(self.first(vector_BD).view(-1, self.config.widths[0], START, START))
        for stage in self.stages:
            grid = stage(grid, vector_BD)
        pixels: Tensor = self.last(F.leaky_relu(F.group_norm(grid, 1), 0.2))
        return pixels.tanh()

    def forward(self, context: Features, prefix: Field | None = None) -> Tensor:
        """Draws from the noise that the prefix holds, (B, noise)."""
        noise = noise_of(prefix, context, self.noise) if self.noise else None
        return self.draw(context, noise, DrawingConfig())


START = 4
"""Side of the coarsest grid."""


@dataclass(frozen=True)
class PictureConvolutionsConfig(Config[Decoder]):
    """Convolutions that draw a picture, coarse to fine, from one vector."""

    context_dim: int
    """Width of the context."""
    widths: tuple[int, ...] = (256, 128, 64, 32)
    """Channels of each grid from 4 x 4 on, each with twice the sides of the one before."""
    noise: int = 0
    """Width of the noise beside the context, as a GAN needs it; 0: what is drawn depends on the context alone."""
    condition: int = 256
    """Width of the vector that modulates the stages."""

    def __post_init__(self) -> None:
        require(self, context_dim=COUNT, widths=COUNT, noise=at_least(0), condition=COUNT)
        if not self.widths:
            raise ValueError("widths is (), expected one grid or more")

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a picture."""
        side = START * 2 ** (len(self.widths) - 1)
        return CHANNELS, side, side

    def build(self) -> PictureConvolutions:
        return PictureConvolutions(self)
