"""Shared by transformers over video patches: their settings, and frame numbers."""

from dataclasses import dataclass

from torch import Tensor

from weft.core.errors import WeftError
from weft.core.ranges import COUNT, FINITE, POSITIVE, require
from weft.encoders.weights import WithWeights
from weft.layers.padded import is_padded
from weft.layers.transformer import Activation, TransformerConfig


def frame_numbers(mask_BF: Tensor, longest: int) -> Tensor:
    """(B, F) the number of real frames before each, 0 in the padding. Raises WeftError for more than `longest`
    frames."""
    frames = mask_BF.shape[1]
    if not is_padded():
        frames = int(mask_BF.sum(1).amax()) if mask_BF.numel() else 0
    if frames > longest:
        raise WeftError(
            f"a video has {frames} frames, expected at most {longest}, which the encoder reads"
        )
    return (mask_BF.cumsum(dim=1) - 1).clamp(0, longest - 1)


@dataclass(frozen=True)
class SpaceTimeSettings(WithWeights):
    """Settings of a transformer over video patches. The defaults are those of the published TimeSformer."""

    image_size: int = 112
    """Picture side in pixels for which positions are learned."""
    patch_size: int = 16
    frames: int = 8
    """Maximum number of frames, for which positions in time are learned."""
    dim: int = 192
    depth: int = 6
    heads: int = 3
    mlp: int | None = None
    activation: Activation = "gelu"
    norm_eps: float = 1e-6
    dropout: float = 0.0
    attention_dropout: float = 0.0
    drop_path: float = 0.0
    mean: tuple[float, float, float] = (0.45, 0.45, 0.45)
    """Mean and standard deviation of pixels in [0, 1], as published."""
    std: tuple[float, float, float] = (0.225, 0.225, 0.225)
    weights: str | None = None
    """Safetensors file with the keys of the encoder, or none for random weights."""

    def __post_init__(self) -> None:
        require(self, image_size=COUNT, patch_size=COUNT, frames=COUNT, depth=COUNT)
        require(self, mean=FINITE, std=POSITIVE)
        if self.image_size % self.patch_size:
            raise ValueError(
                f"image_size is {self.image_size}, expected a multiple of patch_size, {self.patch_size}"
            )
        self.transformer()

    @property
    def side(self) -> int:
        """Number of patches along a side."""
        return self.image_size // self.patch_size

    def transformer(self) -> TransformerConfig:
        """The stack of blocks."""
        return TransformerConfig.of(self)
