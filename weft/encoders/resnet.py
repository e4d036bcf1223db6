"""ResNet (He et al. 2016, arXiv:1512.03385)."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.interfaces import Encoder
from weft.core.ranges import COUNT, FINITE, POSITIVE, require
from weft.core.records import Features, Field
from weft.encoders.weights import WithWeights
from weft.layers.convolution import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    Normalize,
    PointwiseConv2d,
    by_pixel,
    channels_last,
    initialize_convolutions,
)

# Blocks in each stage, table 1 of the paper; 26 is the bottleneck form with two blocks each.
STAGES = {
    18: (2, 2, 2, 2),
    26: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
}
BOTTLENECKS = (26, 50, 101)


class ResNet(nn.Module):
    """uint8 images -> tokens: the last grid (B, H/32 * W/32, D), row by row; pooled: its mean.

    State-dict keys are torchvision's, without the classifier `fc`.
    """

    def __init__(self, config: "ResNetConfig") -> None:
        super().__init__()
        width = config.width
        self.normalize = Normalize(config.mean, config.std)
        self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        block = Bottleneck if config.depth in BOTTLENECKS else BasicBlock
        channels = width
        stages: list[nn.Sequential] = []
        for number, count in enumerate(STAGES[config.depth]):
            blocks: list[nn.Module] = []
            for repeat in range(count):
                stride = 2 if number > 0 and repeat == 0 else 1
                blocks.append(block(channels, width * 2**number, stride))
                channels = width * 2**number * block.expansion
            stages.append(nn.Sequential(*blocks))
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.dim = channels
        initialize_convolutions(self)
        for module in self.modules():
            # Goyal et al. 2017, arXiv:1706.02677, section 5.1: each residual branch starts at zero.
            if isinstance(module, BasicBlock):
                nn.init.zeros_(module.bn2.weight)
            elif isinstance(module, Bottleneck):
                nn.init.zeros_(module.bn3.weight)
        channels_last(self)

    def forward(self, field: Field) -> Features:
        """Images (B, 3, H, W) uint8; the published weights were trained on 224 x 224."""
        pixels = self.normalize(field.values, self.conv1.weight.dtype)
        values = self.pool(self.bn1(self.conv1(by_pixel(pixels))).relu_())
        grid_BDHW = self.layer4(self.layer3(self.layer2(self.layer1(values))))
        tokens_BTD = grid_BDHW.flatten(2).transpose(1, 2)
        mask_BT = torch.ones(tokens_BTD.shape[:2], dtype=torch.bool, device=tokens_BTD.device)
        return Features(tokens_BTD, mask_BT, tokens_BTD.mean(dim=1))


def _shortcut(before: int, after: int, stride: int) -> nn.Sequential | None:
    """Returns a projection if the shape changes (option B of section 3.3)."""
    if stride == 1 and before == after:
        return None
    return nn.Sequential(
        PointwiseConv2d(before, after, 1, stride=stride, bias=False), nn.BatchNorm2d(after)
    )


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions with a shortcut (figure 5, left)."""

    expansion = 1

    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, width, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = _shortcut(before, width, stride)

    def forward(self, values: Tensor) -> Tensor:
        shortcut = values if self.downsample is None else self.downsample(values)
        branch: Tensor = self.bn2(self.conv2(self.bn1(self.conv1(values)).relu_()))
        return (branch + shortcut).relu_()


class Bottleneck(nn.Module):
    """1 x 1, 3 x 3 and 1 x 1 convolutions (figure 5, right).

    The 3 x 3 convolution has the stride, as in torchvision; in the paper the first one does.
    """

    expansion = 4

    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        after = width * self.expansion
        self.conv1 = nn.Conv2d(before, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, after, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(after)
        self.downsample = _shortcut(before, after, stride)

    def forward(self, values: Tensor) -> Tensor:
        shortcut = values if self.downsample is None else self.downsample(values)
        branch = self.bn1(self.conv1(values)).relu_()
        branch = self.bn2(self.conv2(branch)).relu_()
        projected: Tensor = self.bn3(self.conv3(branch))
        return (projected + shortcut).relu_()


@dataclass(frozen=True)
class ResNetConfig(WithWeights, Config[Encoder]):
    """ResNet on pictures.

    depth: number of layers. width: channels of the stem, 64 as published. weights: safetensors file
    with torchvision's keys (its classifier is not read), or None for random ones. mean, std: of
    pixels in [0, 1].
    """

    depth: Literal[18, 26, 34, 50, 101] = 18
    width: int = 64
    weights: str | None = None
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD

    def __post_init__(self) -> None:
        require(self, width=COUNT, mean=FINITE, std=POSITIVE)

    def build(self) -> ResNet:
        return self.filled(ResNet(self), ignore=["fc."])
