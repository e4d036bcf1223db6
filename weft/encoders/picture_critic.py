"""Convolutions without batch statistics for a GAN's critic: the score of a picture does not depend on other pictures."""

import itertools
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.interfaces import Encoder
from weft.core.ranges import COUNT, require
from weft.core.records import Features, Field
from weft.encoders.weights import WithWeights
from weft.layers.convolution import Normalize, by_pixel, channels_last, initialize_leaky
from weft.layers.patches import space_to_depth

MIDDLE = (0.5, 0.5, 0.5)


class CriticStage(nn.Module):
    """Two 3 x 3 convolutions with a residual, then both sides are halved.

    The second convolution starts at zero (fixup initialisation, as in R3GAN: Huang et al. 2024, arXiv:2501.05441,
    section 3.3).
    """

    def __init__(self, width_in: int, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width_in, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.skip = nn.Conv2d(width_in, width, 1, bias=False)

    def begin_as_nothing(self) -> None:
        """Initialises the residual branch to zero."""
        nn.init.zeros_(self.conv2.weight)

    def forward(self, grid_BCHW: Tensor) -> Tensor:
        hidden = self.conv1(F.leaky_relu(grid_BCHW, 0.2))
        hidden = self.conv2(F.leaky_relu(hidden, 0.2))
        return F.avg_pool2d(self.skip(grid_BCHW) + hidden, 2)


class PictureCritic(nn.Module):
    """Pictures (B, 3, H, W) -> tokens: the last grid (B, T, D), row by row; pooled: a linear map of the whole grid
    and of its maximum over positions.

    The maximum learns a shape at all positions together. The whole grid keeps positions; without it, a generator
    always puts objects at the same position.

    Pixels are uint8, or generated floats from 0 to 255, with their gradient.
    """

    def __init__(self, config: "PictureCriticConfig") -> None:
        super().__init__()
        self.config = config
        self.dim = config.dim
        self.normalize = Normalize(MIDDLE, MIDDLE)
        widths = config.widths
        self.first = nn.Conv2d(3 * config.patch**2, widths[0], 3, padding=1)
        stages = [CriticStage(before, after) for before, after in itertools.pairwise(widths)]
        self.stages = nn.ModuleList(stages)
        side = config.size // config.stride
        self.last = nn.Linear(widths[-1] * (side**2 + 1), config.dim)
        initialize_leaky(self)
        for stage in stages:
            stage.begin_as_nothing()
        channels_last(self)

    def forward(self, field: Field) -> Features:
        size = self.config.size
        if field.values.shape[-2:] != (size, size):
            raise ValueError(
                f"pictures are {field.values.shape[-2]} x {field.values.shape[-1]} pixels, expected {size} x {size}"
            )
        pixels = self.normalize(field.values, self.first.weight.dtype)
        grid = self.first(by_pixel(space_to_depth(pixels, self.config.patch)))
        for stage in self.stages:
            grid = stage(grid)
        grid = F.leaky_relu(grid, 0.2)
        tokens_BTD = grid.flatten(2).transpose(1, 2)
        places_BK = torch.cat([grid.flatten(1), tokens_BTD.amax(1)], dim=1)
        pooled_BD = F.leaky_relu(self.last(places_BK), 0.2)
        mask_BT = torch.ones(tokens_BTD.shape[:2], dtype=torch.bool, device=tokens_BTD.device)
        if tokens_BTD.shape[2] != self.dim:  # tokens and pooled vector must have the same width
            tokens_BTD, mask_BT = pooled_BD[:, None], mask_BT[:, :1]
        return Features(tokens_BTD, mask_BT, pooled_BD)


@dataclass(frozen=True)
class PictureCriticConfig(WithWeights, Config[Encoder]):
    """Residual convolutions without normalisation, for the critic of a GAN."""

    size: int
    """Side of the picture in pixels."""
    widths: tuple[int, ...] = (32, 64, 128, 128)
    """Channels of each grid, each with half the sides of the one before."""
    dim: int = 128
    """Width of the pooled vector."""
    patch: int = 1
    """Side in pixels of the square that each place of the first grid reads. With 2 that grid has a quarter of the places."""
    weights: str | None = None
    """Safetensors file with this class's keys, or none for random weights."""

    def __post_init__(self) -> None:
        require(self, size=COUNT, widths=COUNT, dim=COUNT, patch=COUNT)
        if not self.widths:
            raise ValueError("widths is (), expected one grid or more")
        if self.size % self.stride:
            raise ValueError(
                f"size is {self.size}, expected a multiple of {self.stride}: patch {self.patch} and {len(self.widths)} widths"
            )

    @property
    def stride(self) -> int:
        """Pixels of a side for each place of the last grid."""
        return int(self.patch * 2 ** (len(self.widths) - 1))

    def build(self) -> PictureCritic:
        return self.filled(PictureCritic(self))
