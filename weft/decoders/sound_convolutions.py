"""Convolutions that generate the frames of a sound of fixed length from one vector, coarse to fine, for an
autoencoder."""

from dataclasses import dataclass

from torch import Tensor

from weft.core.config import Config
from weft.core.interfaces import Decoder
from weft.core.ranges import COUNT, at_least, require
from weft.core.records import Features
from weft.decoders.drawing import OneStep
from weft.layers.upsampling import Upsampling


class SoundConvolutions(OneStep):
    """The pooled context (B, D), concatenated with noise, -> normalised log-mel frames (B, T, M).

    Time and bands are the two sides of a grid, which each stage doubles.
    """

    def __init__(self, config: "SoundConvolutionsConfig") -> None:
        super().__init__(config.context_dim, config.noise, config.shape)
        self.config = config
        scale = 2 ** (len(config.widths) - 1)
        start = config.frames // scale, config.bands // scale
        width = config.context_dim + config.noise
        self.layers = Upsampling(width, config.widths, start, 1, config.condition)

    def made(self, vector_BK: Tensor, context: Features) -> Tensor:  # noqa: ARG002
        """(B, T, M) from the vector alone."""
        frames: Tensor = self.layers(vector_BK)
        return frames[:, 0]


@dataclass(frozen=True)
class SoundConvolutionsConfig(Config[Decoder]):
    """Convolutions that generate the frames of a sound of fixed length from one vector."""

    context_dim: int
    """Width of the context."""
    frames: int = 64
    """Frames T of a sound."""
    bands: int = 40
    """Mel bands M of a frame."""
    widths: tuple[int, ...] = (128, 64, 32, 16)
    """Channels of each grid, each with twice the frames and bands of the one before."""
    noise: int = 0
    """Width of the noise. 0: the result depends on the context alone."""
    condition: int = 128
    """Width of the vector that modulates the stages."""

    def __post_init__(self) -> None:
        require(self, context_dim=COUNT, frames=COUNT, bands=COUNT, widths=COUNT)
        require(self, noise=at_least(0), condition=COUNT)
        if not self.widths:
            raise ValueError("widths is (), expected one grid or more")
        scale = 2 ** (len(self.widths) - 1)
        if self.frames % scale or self.bands % scale:
            raise ValueError(
                f"frames is {self.frames} and bands {self.bands}, expected multiples of {scale} for "
                f"{len(self.widths)} widths"
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a sound's frames."""
        return self.frames, self.bands

    def build(self) -> SoundConvolutions:
        return SoundConvolutions(self)
