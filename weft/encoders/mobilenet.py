"""MobileNetV2 (Sandler et al. 2018, arXiv:1801.04381)."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.interfaces import Encoder
from weft.core.ranges import FINITE, POSITIVE, require
from weft.core.records import Features, Field
from weft.encoders.values import vector_features
from weft.encoders.weights import WithWeights
from weft.layers.convolution import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    Normalize,
    SameConv2d,
    by_pixel,
    channels_last,
    initialize_convolutions,
)

# Table 2 of the paper: expansion, channels, repeats, stride of the first.
STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
MOST_STAGES = 2 + sum(repeats for _, _, repeats, _ in STAGES)
IMAGENET_CLASSES = 1000


class MobileNetV2(nn.Module):
    """uint8 images -> tokens: the last grid (B, H/32 * W/32, D), row by row; pooled: its mean.

    State-dict keys are torchvision's; the folded form has biases instead of BatchNorm entries. It can be divided
    after any of its `depth` stages: the stem, 17 blocks, and the last convolution, whose input has a quarter of the
    channels and is cheaper to cache by that factor.

    With `levels`, pooled is the mean and the maximum over the picture of the grid after each of these stages; the one
    token is the same, and later stages are left out. For pictures unlike photographs, such as spectrograms, these
    features separate classes better than the last stage (compare Yosinski et al. 2014, arXiv:1411.1792).
    """

    def __init__(self, config: "MobileNetV2Config") -> None:
        super().__init__()
        self.config = config
        self.normalize = Normalize(config.pixel_mean, config.pixel_std)
        conv = _ConvolutionBuilder(folded=config.form == "folded")
        channels = _divisible(32 * config.width)
        stages: list[nn.Module] = [conv(3, channels, kernel=3, stride=2)]
        widths = [channels]
        for expansion, base, repeats, first_stride in STAGES:
            after = _divisible(base * config.width)
            for repeat in range(repeats):
                stride = first_stride if repeat == 0 else 1
                stages.append(InvertedResidual(conv, channels, after, stride, expansion))
                channels = after
            widths += [after] * repeats
        last = _divisible(1280 * max(1.0, config.width))
        stages.append(conv(channels, last, kernel=1))
        widths.append(last)
        if config.levels:
            stages = stages[: config.levels[-1]]
        self.features = nn.Sequential(*stages)
        initialize_convolutions(self.features)
        channels_last(self.features)
        self.depth = len(stages)
        self.dim = sum(2 * widths[level - 1] for level in config.levels) or last
        if config.classes != "none":
            self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(last, IMAGENET_CLASSES))
            self.dim += IMAGENET_CLASSES

    def forward(self, field: Field) -> Features:
        """Images (B, 3, H, W) uint8; the published weights were trained on 224 x 224."""
        grid_BDHW, pooled = self._pixels(field), []
        if not self.config.levels:
            return self._finish(self.features(grid_BDHW))
        for number, stage in enumerate(self.features, start=1):
            grid_BDHW = stage(grid_BDHW)
            if number in self.config.levels:
                pooled += [grid_BDHW.mean((2, 3)), grid_BDHW.amax((2, 3))]
        return vector_features(torch.cat(pooled, dim=1))

    def lower(self, field: Field, layers: int) -> Features:
        """Returns the square grid after the first `layers` stages as tokens, the input of `upper`.

        Raises ValueError with `levels`, which pool lower stages.
        """
        if self.config.levels:
            raise ValueError(f"levels is {self.config.levels}, expected () where layers are frozen")
        grid_BDHW = self._stages(slice(layers))(self._pixels(field))
        if grid_BDHW.shape[2] != grid_BDHW.shape[3]:
            raise ValueError(f"the grid is {tuple(grid_BDHW.shape[2:])}, expected square images")
        return _as_tokens(grid_BDHW)

    def upper(self, features: Features, layers: int) -> Features:
        """The stages after the first `layers`."""
        rows, cells, _ = features.tokens.shape
        side = math.isqrt(cells)
        grid_BDHW = features.tokens.transpose(1, 2).reshape(rows, -1, side, side)
        return self._finish(self._stages(slice(layers, None))(grid_BDHW))

    def lower_parts(self, layers: int) -> list[nn.Module | nn.Parameter]:
        """Returns the modules that `lower` uses."""
        return list(self._stages(slice(layers)))

    def _stages(self, layers: slice) -> nn.Sequential:
        return nn.Sequential(*list(self.features)[layers])

    def _pixels(self, field: Field) -> Tensor:
        weight = next(self.features.parameters())
        pixels_BCHW: Tensor = self.normalize(field.values, weight.dtype)
        return by_pixel(pixels_BCHW)

    def _finish(self, grid_BDHW: Tensor) -> Features:
        features = _as_tokens(grid_BDHW)
        if self.config.classes == "none":
            return features
        tokens_BTD = self.append_classes(features.tokens)
        return Features(tokens_BTD, features.mask, self.append_classes(features.pooled))

    def append_classes(self, features: Tensor) -> Tensor:
        """(..., D) -> (..., D + 1000): ImageNet logits or probabilities at each position."""
        classes = self.classifier(features)
        if self.config.classes == "probabilities":
            classes = classes.softmax(dim=-1)
        return torch.cat([features, classes.to(features.dtype)], dim=-1)


def _as_tokens(grid_BDHW: Tensor) -> Features:
    tokens_BTD = grid_BDHW.flatten(2).transpose(1, 2)
    mask_BT = torch.ones(tokens_BTD.shape[:2], dtype=torch.bool, device=tokens_BTD.device)
    return Features(tokens_BTD, mask_BT, tokens_BTD.mean(dim=1))


class InvertedResidual(nn.Module):
    """Expansion, depthwise convolution, linear projection (section 3.3 of the paper)."""

    def __init__(
        self, conv: "_ConvolutionBuilder", before: int, after: int, stride: int, expansion: int
    ) -> None:
        super().__init__()
        hidden = before * expansion
        layers: list[nn.Module] = [conv(before, hidden, kernel=1)] if expansion != 1 else []
        layers.append(conv(hidden, hidden, kernel=3, stride=stride, groups=hidden))
        layers += list(conv.linear(hidden, after))
        self.conv = nn.Sequential(*layers)
        self.residual = stride == 1 and before == after

    def forward(self, values: Tensor) -> Tensor:
        filtered: Tensor = self.conv(values)
        return values + filtered if self.residual else filtered


class _ConvolutionBuilder:
    """Convolution, BatchNorm (identity if it is folded into the weights), ReLU6."""

    def __init__(self, *, folded: bool) -> None:
        self.folded = folded

    def __call__(
        self, before: int, after: int, *, kernel: int, stride: int = 1, groups: int = 1
    ) -> nn.Sequential:
        conv = self._conv(before, after, kernel, stride, groups)
        return nn.Sequential(conv, self._norm(after), nn.ReLU6(inplace=True))

    def linear(self, before: int, after: int) -> tuple[nn.Module, nn.Module]:
        return self._conv(before, after, 1, 1, 1), self._norm(after)

    def _norm(self, channels: int) -> nn.Module:
        return nn.Identity() if self.folded else nn.BatchNorm2d(channels)

    def _conv(self, before: int, after: int, kernel: int, stride: int, groups: int) -> nn.Module:
        if self.folded:
            return SameConv2d(before, after, kernel, stride, groups=groups)
        return nn.Conv2d(
            before, after, kernel, stride, padding=kernel // 2, groups=groups, bias=False
        )


def _divisible(channels: float, divisor: int = 8) -> int:
    """Returns the nearest multiple of 8, but at least nine tenths of the requested number, as in the published model."""
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded if rounded >= 0.9 * channels else rounded + divisor


@dataclass(frozen=True)
class MobileNetV2Config(WithWeights, Config[Encoder]):
    """MobileNetV2 on pictures.

    form: "folded" has BatchNorm folded into the convolutions, pads right and bottom as TensorFlow
    does and sees pixels in [-1, 1]; "batchnorm" is torchvision's. weights: safetensors file of that
    form, or None for random ones. classes: append ImageNet logits or probabilities to the features.
    width: multiplier of the channels. mean, std: of pixels in [0, 1], None for those of the form. levels: rising numbers
    of stages, from 1 to 19, after which the grid is pooled; none: pooled is the mean of the last one.
    """

    form: Literal["folded", "batchnorm"] = "folded"
    weights: str | None = None
    classes: Literal["none", "logits", "probabilities"] = "none"
    width: float = 1.0
    mean: tuple[float, float, float] | None = None
    std: tuple[float, float, float] | None = None
    levels: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        require(self, width=POSITIVE, mean=FINITE, std=POSITIVE)
        rising = all(
            one < other for one, other in zip((0, *self.levels), self.levels, strict=False)
        )
        if not rising or max(self.levels, default=0) > MOST_STAGES:
            raise ValueError(
                f"levels is {self.levels}, expected rising numbers from 1 to {MOST_STAGES}"
            )
        if self.levels and self.classes != "none":
            raise ValueError(
                f"levels leave out the classifier, expected classes 'none', got '{self.classes}'"
            )

    @property
    def pixel_mean(self) -> tuple[float, float, float]:
        return self.mean or ((0.5, 0.5, 0.5) if self.form == "folded" else IMAGENET_MEAN)

    @property
    def pixel_std(self) -> tuple[float, float, float]:
        return self.std or ((0.5, 0.5, 0.5) if self.form == "folded" else IMAGENET_STD)

    def build(self) -> MobileNetV2:
        ignore = ["classifier."] if self.classes == "none" else []
        if self.levels:
            ignore += [f"features.{number}." for number in range(self.levels[-1], MOST_STAGES)]
        return self.filled(MobileNetV2(self), ignore=ignore)
