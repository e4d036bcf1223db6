"""Convolutions that generate a picture from one vector, coarse to fine: for a GAN's generator or an autoencoder."""

from dataclasses import dataclass

from torch import Tensor

from weft.core.config import Config
from weft.core.interfaces import Decoder
from weft.core.ranges import COUNT, at_least, require
from weft.core.records import Features
from weft.decoders.drawing import OneStep
from weft.layers.upsampling import Upsampling

CHANNELS, START = 3, 4
"""Channels of a picture; sides of the coarsest grid."""


class PictureConvolutions(OneStep):
    """The pooled context (B, D), concatenated with noise, -> pixels (B, 3, S, S) in [-1, 1].

    The vector is mapped to a grid of 4 x 4, and each stage doubles its sides.
    """

    def __init__(self, config: "PictureConvolutionsConfig") -> None:
        super().__init__(config.context_dim, config.noise, config.shape)
        self.config = config
        width, start = config.context_dim + config.noise, (START, START)
        self.layers = Upsampling(width, config.widths, start, CHANNELS, config.condition)

    def made(self, vector_BK: Tensor, context: Features) -> Tensor:  # noqa: ARG002
        """(B, 3, S, S) from the vector alone."""
        pixels: Tensor = self.layers(vector_BK)
        return pixels.tanh()


@dataclass(frozen=True)
class PictureConvolutionsConfig(Config[Decoder]):
    """Convolutions that generate a picture from one vector, coarse to fine."""

    context_dim: int
    """Width of the context."""
    widths: tuple[int, ...] = (256, 128, 64, 32)
    """Channels of each grid from 4 x 4 on, each with twice the sides of the one before."""
    noise: int = 0
    """Width of the noise, which a GAN needs. 0: the result depends on the context alone."""
    condition: int = 256
    """Width of the vector that modulates the stages."""

    def __post_init__(self) -> None:
        require(self, context_dim=COUNT, widths=COUNT, noise=at_least(0), condition=COUNT)
        if not self.widths:
            raise ValueError("widths is (), expected one grid or more")

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a picture."""
        side = START * 2 ** (len(self.widths) - 1)
        return CHANNELS, side, side

    def build(self) -> PictureConvolutions:
        return PictureConvolutions(self)
