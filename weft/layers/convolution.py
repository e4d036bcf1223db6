"""Parts of convolutional image encoders."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weft.core.shapes import check_shape
from weft.layers.padded import is_padded

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class Normalize(nn.Module):
    """Normalises pixels (B, 3, H, W) from 0 to 255: (x / 255 - mean) / std, on the pixels' device in `dtype`.

    Input is uint8, as pictures are read, or floats with a gradient, as they are generated.
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        if min(std) <= 0:
            raise ValueError(f"std is {tuple(std)}, expected positive numbers")
        mean_311 = torch.tensor(mean, dtype=torch.float64)[:, None, None]
        std_311 = torch.tensor(std, dtype=torch.float64)[:, None, None]
        # Not persistent: the config determines them, and weight files from elsewhere lack them.
        self.register_buffer("scale", (1 / (255 * std_311)).float(), persistent=False)
        self.register_buffer("shift", (-mean_311 / std_311).float(), persistent=False)

    def forward(self, pixels_BCHW: Tensor, dtype: torch.dtype) -> Tensor:
        check_shape(pixels_BCHW, "B 3 H W", "images")
        drawn = pixels_BCHW.requires_grad or pixels_BCHW.grad_fn is not None
        if pixels_BCHW.dtype != torch.uint8 and not drawn:
            raise ValueError(f"images have dtype {pixels_BCHW.dtype}, expected torch.uint8")
        values = pixels_BCHW.to(dtype)
        if is_padded() or drawn:
            return torch.addcmul(self.shift.to(dtype), values, self.scale.to(dtype))
        # In place: allocating new memory for each batch costs more than the addition.
        return torch.addcmul(self.shift.to(dtype), values, self.scale.to(dtype), out=values)


class SameConv2d(nn.Conv2d):
    """A convolution with TensorFlow's "SAME" padding: an odd pixel of padding goes right and bottom.

    The output is (ceil(H / stride), ceil(W / stride)).
    """

    def forward(self, input: Tensor) -> Tensor:
        right_first = [
            _same_padding(size, kernel, stride, dilation)
            for size, kernel, stride, dilation in zip(
                reversed(input.shape[-2:]),
                reversed(self.kernel_size),
                reversed(self.stride),
                reversed(self.dilation),
                strict=True,
            )
        ]
        (left, right), (top, bottom) = right_first
        if left == right and top == bottom:
            return F.conv2d(
                input, self.weight, self.bias, self.stride, (top, left), self.dilation, self.groups
            )
        padded = F.pad(input, (left, right, top, bottom))
        return F.conv2d(padded, self.weight, self.bias, self.stride, 0, self.dilation, self.groups)


class PointwiseConv2d(nn.Conv2d):
    """A 1 x 1 convolution without padding that applies the stride by dropping pixels before the product.

    The results equal those of nn.Conv2d. The strided kernel of nn.Conv2d, channels last and with fewer than 8
    channels, writes beyond its memory on processors with AVX2 only (torch 2.13).
    """

    def forward(self, input: Tensor) -> Tensor:
        down, right = self.stride
        pixels = by_pixel(input[:, :, ::down, ::right])
        return F.conv2d(pixels, self.weight, self.bias, groups=self.groups)


def _same_padding(size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    outputs = -(-size // stride)
    total = max((outputs - 1) * stride + dilation * (kernel - 1) + 1 - size, 0)
    return total // 2, total - total // 2


def initialize_convolutions(module: nn.Module) -> None:
    """He et al. 2015, arXiv:1502.01852, section 2.2, by fan-out; norms start as the identity."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")
            if part.bias is not None:
                nn.init.zeros_(part.bias)


def initialize_leaky(module: nn.Module, slope: float = 0.2) -> None:
    """Initialises weights by fan-in, for leaky ReLUs of that slope before them (He et al. 2015, section 2.2); biases
    are zero.

    So the output of a deep stack depends on its input from the start, and not on its biases.
    """
    for part in module.modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(part.weight, a=slope, nonlinearity="leaky_relu")
            if part.bias is not None:
                nn.init.zeros_(part.bias)


def by_pixel(values_BCHW: Tensor) -> Tensor:
    """Lays the values out channels last. In the padded mode the layout stays, since vmap supports only one."""
    if is_padded():
        return values_BCHW
    return values_BCHW.contiguous(memory_format=torch.channels_last)


def channels_last(module: nn.Module) -> None:
    """Lays convolution weights out channels last, in place; training on CPUs is then twice as fast."""
    for parameter in module.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
