"""Crops, anti-aliased resizing and colour jitter on uint8 pictures (3, H, W)."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from weft.core.config import Config
from weft.core.ranges import NOT_NEGATIVE, require

Interpolation = Literal["bilinear", "bicubic"]
Box = tuple[int, int, int, int]
"""top, left, height, width in pixels."""

# ITU-R BT.601, equation of luma: the weights of grey in JPEG and Pillow.
_LUMA = (0.299, 0.587, 0.114)
# NTSC (FCC 1953): luma and the two axes of chroma, I and Q.
_RGB_TO_YIQ = torch.tensor([_LUMA, (0.5959, -0.2746, -0.3213), (0.2115, -0.5227, 0.3112)])
_YIQ_TO_RGB = torch.linalg.inv(_RGB_TO_YIQ)
_CROP_ATTEMPTS = 10


def resize(image: Tensor, height: int, width: int, mode: Interpolation = "bilinear") -> Tensor:
    """uint8 (3, H, W) -> uint8 (3, height, width), anti-aliased when shrinking."""
    if image.shape[1:] == (height, width):
        return image
    return F.interpolate(
        image[None], size=(height, width), mode=mode, antialias=True, align_corners=False
    )[0]


def crop(image: Tensor, box: Box) -> Tensor:
    """The part of (3, H, W) within the box, a view."""
    top, left, height, width = box
    return image[:, top : top + height, left : left + width]


def centre_box(height: int, width: int, fraction: float = 1.0) -> Box:
    """The central square whose side is `fraction` of the shorter side."""
    side = max(1, round(min(height, width) * fraction))
    return (height - side) // 2, (width - side) // 2, side, side


def part_box(whole: Box, share: float, place: str) -> Box:
    """The part of `whole` with `share` of its sides: "center", or a corner such as "top-left"."""
    top, left, height, width = whole
    part_height, part_width = max(1, round(height * share)), max(1, round(width * share))
    down, right = height - part_height, width - part_width
    if place == "center":
        return top + down // 2, left + right // 2, part_height, part_width
    top += down if place.startswith("bottom") else 0
    left += right if place.endswith("right") else 0
    return top, left, part_height, part_width


def random_box(
    height: int,
    width: int,
    scale: tuple[float, float],
    ratio: tuple[float, float],
    generator: torch.Generator,
) -> Box:
    """Returns a random part of a picture, with a share of its area in `scale` and width / height in `ratio`.

    The share is uniform, the ratio log-uniform (Szegedy et al. 2015, section 6, with the ratios of its figure). If
    ten attempts do not fit, it is the largest central box with an allowed ratio.
    """
    draws = torch.rand(_CROP_ATTEMPTS, 4, generator=generator).tolist()
    low, high = math.log(ratio[0]), math.log(ratio[1])
    for share_draw, ratio_draw, top_draw, left_draw in draws:
        area = height * width * (scale[0] + (scale[1] - scale[0]) * share_draw)
        aspect = math.exp(low + (high - low) * ratio_draw)
        box_width, box_height = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < box_width <= width and 0 < box_height <= height:
            top = int(top_draw * (height - box_height + 1))
            left = int(left_draw * (width - box_width + 1))
            return top, left, box_height, box_width
    box_width = max(1, min(width, round(height * ratio[1])))
    box_height = max(1, min(height, round(width / ratio[0])))
    return (height - box_height) // 2, (width - box_width) // 2, box_height, box_width


def letterbox(image: Tensor, size: int, fill: int, mode: Interpolation) -> Tensor:
    """Fits the whole picture into (3, size, size), keeping its proportions; the rest is `fill`."""
    height, width = image.shape[1:]
    longest = max(height, width)
    height, width = (max(1, round(side * size / longest)) for side in (height, width))
    padded = torch.full((3, size, size), fill, dtype=torch.uint8)
    crop(padded, ((size - height) // 2, (size - width) // 2, height, width)).copy_(
        resize(image, height, width, mode)
    )
    return padded


def resized_square(image: Tensor, size: int, share: float, mode: Interpolation) -> Tensor:
    """The central square (3, size, size) of the whole picture, resized so that `size` is `share` of its shorter side."""
    height, width = image.shape[1:]
    shorter = round(size / share)
    # As in transformers and torchvision, the longer side and the corner are rounded down.
    sides = [int(side * shorter / min(height, width)) for side in (height, width)]
    image = resize(image, sides[0], sides[1], mode)
    return crop(image, ((sides[0] - size) // 2, (sides[1] - size) // 2, size, size))


class Jitter:
    """Random brightness, contrast, saturation and hue, in random order (Howard 2013, section 2.2)."""

    def __init__(self, config: "JitterConfig") -> None:
        self.config = config
        changes: list[tuple[float, Callable[[Tensor, float], Tensor]]] = [
            (config.brightness, brightness),
            (config.contrast, contrast),
            (config.saturation, saturation),
            (config.hue, hue),
        ]
        self._changes = [(strength, change) for strength, change in changes if strength]

    def __call__(self, image: Tensor, generator: torch.Generator) -> Tensor:
        """uint8 (3, H, W) -> the same, changed; all random numbers come from `generator`."""
        if not self._changes:
            return image
        order = torch.randperm(len(self._changes), generator=generator).tolist()
        draws = (2 * torch.rand(len(self._changes), generator=generator) - 1).tolist()
        values = image.float()
        for place, draw in zip(order, draws, strict=True):
            strength, change = self._changes[place]
            amount = strength * draw if change is hue else max(0.0, 1 + strength * draw)
            values = change(values, amount).clamp_(0, 255)
        return values.round_().to(torch.uint8)


@dataclass(frozen=True)
class JitterConfig(Config[Jitter]):
    """Colour jitter in training: maximum deviation of each factor from 1, sampled uniformly; 0 changes nothing.

    brightness, contrast, saturation: 0.4 samples from 0.6 to 1.4. hue: turns of the colour circle, at most 0.5.
    """

    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0

    def __post_init__(self) -> None:
        require(self, brightness=NOT_NEGATIVE, contrast=NOT_NEGATIVE, saturation=NOT_NEGATIVE)
        if not 0 <= self.hue <= 0.5:
            raise ValueError(f"hue is {self.hue}, expected 0 to 0.5 turns")

    def build(self) -> Jitter:
        return Jitter(self)


def brightness(values: Tensor, factor: float) -> Tensor:
    """Multiplies (3, H, W) in 0..255 by the factor."""
    return values * factor


def contrast(values: Tensor, factor: float) -> Tensor:
    """Moves values away from (factor > 1) or towards the mean grey of the picture."""
    return torch.lerp(_grey(values).mean().expand_as(values), values, factor)


def saturation(values: Tensor, factor: float) -> Tensor:
    """Moves values away from (factor > 1) or towards each pixel's own grey."""
    return torch.lerp(_grey(values).expand_as(values), values, factor)


def hue(values: Tensor, turns: float) -> Tensor:
    """Rotates the colours around the grey axis, in the chroma plane of YIQ, so that luma stays."""
    cos, sin = math.cos(math.tau * turns), math.sin(math.tau * turns)
    rotation = torch.tensor([(1.0, 0.0, 0.0), (0.0, cos, -sin), (0.0, sin, cos)])
    matrix = _YIQ_TO_RGB @ rotation @ _RGB_TO_YIQ
    turned: Tensor = matrix @ values.reshape(3, -1)
    return turned.view(values.shape)


def _grey(values: Tensor) -> Tensor:
    red, green, blue = values.unbind()
    grey: Tensor = _LUMA[0] * red + _LUMA[1] * green + _LUMA[2] * blue
    return grey[None]
