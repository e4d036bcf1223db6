"""Convolutions over time on all bands together: speech in windows of a few tenths of a second.

The time-delay network of Waibel et al. 1989, with batch norm as in Collobert et al. 2016 (arXiv:1609.03193, section
2.1).
"""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import nn

from weft.core.config import Config
from weft.core.interfaces import Encoder
from weft.core.ranges import COUNT, SHARE_BELOW_1, require
from weft.core.records import Features, Field
from weft.core.shapes import check_shape
from weft.encoders.weights import WithWeights
from weft.layers.convolution import initialize_convolutions
from weft.layers.masked_convolution import PaddedBatchNorm, halved_mask, without_padding
from weft.layers.pooling import pool


class TimeConvolutions(nn.Module):
    """Frames (B, T, M) -> tokens (B, T', D) in order of time; pooled: their mean.

    Each layer is a convolution over `kernel` positions, batch norm, ReLU and dropout; the first `halvings` of them
    have stride 2. A token sees only its window of the sound, so the network cannot memorise a whole sentence. Padding
    is zeroed before each layer and never counted.
    """

    def __init__(self, config: "TimeConvolutionsConfig") -> None:
        super().__init__()
        self.config = config
        self.dim = config.widths[-1]
        self.input_norm = PaddedBatchNorm(config.bands, affine=False)
        self.convolutions, self.norms = nn.ModuleList(), nn.ModuleList()
        channels, half = config.bands, config.kernel // 2
        for number, width in enumerate(config.widths):
            stride = 2 if number < config.halvings else 1
            self.convolutions.append(
                nn.Conv1d(channels, width, config.kernel, stride, half, bias=False)
            )
            self.norms.append(PaddedBatchNorm(width))
            channels = width
        self.dropout = nn.Dropout(config.dropout)
        initialize_convolutions(self)

    def forward(self, field: Field) -> Features:
        """Mask (B, T), or None if all frames are real."""
        check_shape(field.values, "B T M", "frames of a sound", M=self.config.bands)
        mask_BT = field.real
        dtype = next(self.parameters()).dtype
        grid_BCT = without_padding(field.values.to(dtype).transpose(1, 2), mask_BT)
        grid_BCT = without_padding(self.input_norm(grid_BCT[..., None], mask_BT)[..., 0], mask_BT)
        for number, (convolution, norm) in enumerate(
            zip(self.convolutions, self.norms, strict=True)
        ):
            grid_BCT = convolution(grid_BCT)
            mask_BT = halved_mask(mask_BT) if number < self.config.halvings else mask_BT
            grid_BCT = norm(without_padding(grid_BCT, mask_BT)[..., None], mask_BT)[..., 0]
            grid_BCT = without_padding(self.dropout(F.relu(grid_BCT)), mask_BT)
        tokens_BTD = grid_BCT.transpose(1, 2)
        return Features(tokens_BTD, mask_BT, pool(tokens_BTD, mask_BT, "mean"))


@dataclass(frozen=True)
class TimeConvolutionsConfig(WithWeights, Config[Encoder]):
    """A stack of convolutions over the frames of a sound."""

    bands: int
    """Width of a frame: mel bands or cepstra."""
    widths: tuple[int, ...] = (128, 128, 128, 128)
    """Channels of each layer."""
    kernel: int = 5
    """Kernel size of a layer, an odd number of positions."""
    halvings: int = 2
    """Number of layers, from the first, with stride 2."""
    dropout: float = 0.0
    """Dropout of each layer."""
    weights: str | None = None
    """Safetensors file with this class's keys, or none for random weights."""

    def __post_init__(self) -> None:
        require(self, bands=COUNT, kernel=COUNT, dropout=SHARE_BELOW_1)
        if not self.widths or min(self.widths) < 1:
            raise ValueError(f"widths are {self.widths}, expected one or more of at least 1")
        if self.kernel % 2 == 0:
            raise ValueError(f"kernel is {self.kernel}, expected an odd number")
        if not 0 <= self.halvings <= len(self.widths):
            raise ValueError(
                f"halvings is {self.halvings}, expected 0 to {len(self.widths)} layers"
            )

    def build(self) -> TimeConvolutions:
        return self.filled(TimeConvolutions(self))
