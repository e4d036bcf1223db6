"""A plain stack of 3 x 3 convolutions, for small drawn pictures."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from weft.core.config import Config
from weft.core.interfaces import Encoder
from weft.core.ranges import FINITE, POSITIVE, at_least, require
from weft.core.records import Features, Field
from weft.encoders.weights import WithWeights
from weft.layers.convolution import (
    Normalize,
    by_pixel,
    channels_last,
    initialize_convolutions,
)


class ConvNet(nn.Module):
    """uint8 images -> tokens: the last grid (B, H * W, D), row by row; pooled: its mean or maximum.

    Each layer is a convolution, batch norm and ReLU. The stride is 2 in the first `halvings` layers, then 1. With
    `coordinates`, the pixels also hold their x and y from -1 to 1, so that tokens know their position (Liu et al.
    2018, arXiv:1807.03247, section 3). With `positions`, a fixed position encoding is added to the tokens, followed
    by a layer norm.
    """

    def __init__(self, config: "ConvNetConfig") -> None:
        super().__init__()
        self.config = config
        self.dim = config.widths[-1]
        self.normalize = Normalize(config.mean, config.std)
        layers: list[nn.Module] = []
        channels = 5 if config.coordinates else 3
        for number, width in enumerate(config.widths):
            stride = 2 if number < config.halvings else 1
            layers += [
                nn.Conv2d(channels, width, 3, stride=stride, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(inplace=True),
            ]
            channels = width
        self.layers = nn.Sequential(*layers)
        self.norm = nn.LayerNorm(self.dim) if config.positions else None
        initialize_convolutions(self)
        channels_last(self)

    def forward(self, field: Field) -> Features:
        """Images (B, 3, H, W) uint8 of any size."""
        pixels = self.normalize(field.values, self.layers[0].weight.dtype)
        if self.config.coordinates:
            pixels = torch.cat([pixels, coordinates_like(pixels)], dim=1)
        grid_BDHW = self.layers(by_pixel(pixels))
        tokens_BTD = grid_BDHW.flatten(2).transpose(1, 2)
        if self.norm is not None:
            tokens_BTD = self.norm(tokens_BTD + sine_positions(grid_BDHW))
        mask_BT = torch.ones(tokens_BTD.shape[:2], dtype=torch.bool, device=tokens_BTD.device)
        pooled_BD = tokens_BTD.mean(1) if self.config.pooling == "mean" else tokens_BTD.amax(1)
        return Features(tokens_BTD, mask_BT, pooled_BD)


def coordinates_like(grid_BDHW: torch.Tensor) -> torch.Tensor:
    """(B, 2, H, W): x and y of each cell, from -1 at the left and top to 1."""
    height, width = grid_BDHW.shape[2:]
    y, x = (
        torch.linspace(-1, 1, size, device=grid_BDHW.device, dtype=grid_BDHW.dtype)
        for size in (height, width)
    )
    return torch.stack(torch.meshgrid(x, y, indexing="xy")).expand(grid_BDHW.shape[0], -1, -1, -1)


def sine_positions(grid_BDHW: torch.Tensor) -> torch.Tensor:
    """(H * W, D): sines and cosines of x and y, as Carion et al. 2020 (arXiv:2005.12872, section 3.2).

    The lowest frequency is a quarter of a period over the picture, so that a linear map can tell left from right. The
    highest is one period for two cells.
    """
    dim, height, width = grid_BDHW.shape[1:]
    x_HW, y_HW = (1 + coordinates_like(grid_BDHW.new_empty(1, dim, height, width).float())[0]) / 2
    count = dim // 4
    highest = max(height, width) / 2
    scale = torch.linspace(0, 1, count, device=grid_BDHW.device)
    frequencies_K = 0.25 * (highest / 0.25) ** scale * 2 * torch.pi
    angles = [place_HW.flatten()[:, None] * frequencies_K for place_HW in (x_HW, y_HW)]
    waves = [wave(angle) for angle in angles for wave in (torch.sin, torch.cos)]
    return torch.cat(waves, dim=1).to(grid_BDHW.dtype)


@dataclass(frozen=True)
class ConvNetConfig(WithWeights, Config[Encoder]):
    """A plain stack of 3 x 3 convolutions with batch norm and ReLU."""

    widths: tuple[int, ...] = (32, 64, 128)
    """Channels of each layer."""
    halvings: int = 3
    """Number of layers, from the first, that halve the sides."""
    coordinates: bool = False
    """If true, two input channels hold the coordinates of each pixel."""
    positions: bool = False
    """If true, tokens contain a position encoding, for a fusion that attends to them."""
    pooling: Literal["mean", "max"] = "mean"
    """Pooling over the grid."""
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    """Mean of pixels in [0, 1]."""
    std: tuple[float, float, float] = (0.5, 0.5, 0.5)
    """Standard deviation of pixels in [0, 1]."""
    weights: str | None = None
    """Safetensors file with this class's keys, or none for random weights."""

    def __post_init__(self) -> None:
        if not self.widths or min(self.widths) < 1:
            raise ValueError(f"widths are {self.widths}, expected one or more of at least 1")
        if self.positions and self.widths[-1] % 4:
            raise ValueError(
                f"widths end with {self.widths[-1]}, expected a multiple of 4 for positions"
            )
        require(self, halvings=at_least(0), mean=FINITE, std=POSITIVE)

    def build(self) -> ConvNet:
        return self.filled(ConvNet(self))
