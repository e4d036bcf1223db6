"""Convolutions over log-mel spectrograms (Kong et al. 2020, PANNs, arXiv:1912.10211, section III-A)."""

from dataclasses import dataclass
from typing import Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.interfaces import Encoder
from weft.core.ranges import COUNT, SHARE_BELOW_1, require
from weft.core.records import Features, Field
from weft.core.shapes import check_shape
from weft.encoders.weights import WithWeights
from weft.layers.convolution import by_pixel, channels_last, initialize_convolutions
from weft.layers.masked_convolution import PaddedBatchNorm, halved, without_padding
from weft.layers.padded import is_padded
from weft.layers.pooling import pool


class SpectrogramCNN(nn.Module):
    """Frames (B, T, M) -> tokens (B, T', D), one for each stretch of time; pooled: their mean, their maximum, or the
    sum of both.

    A second input channel holds the position of the band, from -1 to 1. Each stage is one or more 3 x 3 convolutions
    with batch norm and ReLU. Between stages pairs of frames are averaged, and so are pairs of bands while there are
    more than one. The bands of the last grid are averaged. Padding is never read, and batch norm uses only real
    frames.
    """

    def __init__(self, config: "SpectrogramCNNConfig") -> None:
        super().__init__()
        self.config = config
        self.dim = config.widths[-1]
        self.norm = PaddedBatchNorm(config.mels, affine=False)
        self.stages = nn.ModuleList()
        channels = 2
        for width in config.widths:
            stage = nn.ModuleList()
            for _ in range(config.convolutions):
                stage.append(nn.Conv2d(channels, width, 3, padding=1, bias=False))
                stage.append(PaddedBatchNorm(width))
                channels = width
            self.stages.append(stage)
        self.dropout = nn.Dropout(config.dropout)
        initialize_convolutions(self)
        channels_last(self)

    def forward(self, field: Field) -> Features:
        """Frames (B, T, M), mask (B, T) or None if all are real."""
        check_shape(field.values, "B T M", "frames of a spectrogram", M=self.config.mels)
        mask_BT = field.mask
        if mask_BT is not None and not is_padded() and bool(mask_BT.all()):
            mask_BT = None
        dtype = next(self.parameters()).dtype
        values_BMT1 = field.values.to(dtype).transpose(1, 2)[..., None]
        frames_BMT1 = self.norm(without_padding(values_BMT1, mask_BT), mask_BT)
        grid_BCTM = frames_BMT1.permute(0, 3, 2, 1)
        bands = grid_BCTM.shape[3]
        places_M = torch.linspace(-1, 1, bands, device=grid_BCTM.device, dtype=grid_BCTM.dtype)
        grid_BCTM = torch.cat([grid_BCTM, places_M.expand_as(grid_BCTM)], dim=1)
        grid_BCTM = without_padding(grid_BCTM, mask_BT)
        for number, stage in enumerate(self.stages):
            if number:
                grid_BCTM, mask_BT = halved(
                    grid_BCTM, mask_BT, time=number <= self.config.time_halvings
                )
            layers = list(cast(nn.ModuleList, stage))
            for convolution, norm in zip(layers[::2], layers[1::2], strict=True):
                grid_BCTM = norm(convolution(by_pixel(grid_BCTM)), mask_BT)
                grid_BCTM = without_padding(F.relu(grid_BCTM), mask_BT)
        tokens_BTD = self.dropout(grid_BCTM.mean(3).transpose(1, 2))
        if mask_BT is None:
            mask_BT = torch.ones(tokens_BTD.shape[:2], dtype=torch.bool, device=tokens_BTD.device)
        return Features(tokens_BTD, mask_BT, self._pooled(tokens_BTD, mask_BT))

    def _pooled(self, tokens_BTD: Tensor, mask_BT: Tensor) -> Tensor:
        how = self.config.pooling
        if how != "both":
            return pool(tokens_BTD, mask_BT, how)
        return pool(tokens_BTD, mask_BT, "mean") + pool(tokens_BTD, mask_BT, "max")


@dataclass(frozen=True)
class SpectrogramCNNConfig(WithWeights, Config[Encoder]):
    """A stack of 3 x 3 convolutions over spectrograms."""

    mels: int = 64
    """Bands of the spectrogram."""
    widths: tuple[int, ...] = (32, 64, 128, 256)
    """Channels of each stage."""
    convolutions: int = 2
    """Number of convolutions in each stage."""
    time_halvings: int = 3
    """Number of stages, from the second, that halve the frames first; all of them halve the bands."""
    pooling: Literal["mean", "max", "both"] = "both"
    """Pooling over time; both: the sum of mean and maximum, as in PANNs."""
    dropout: float = 0.0
    """Dropout of the tokens."""
    weights: str | None = None
    """Safetensors file with this class's keys, or none for random weights."""

    def __post_init__(self) -> None:
        require(self, mels=COUNT, convolutions=COUNT, dropout=SHARE_BELOW_1)
        if not self.widths or min(self.widths) < 1:
            raise ValueError(f"widths are {self.widths}, expected one or more of at least 1")
        if not 0 <= self.time_halvings < len(self.widths):
            raise ValueError(
                f"time_halvings is {self.time_halvings}, expected 0 to {len(self.widths) - 1}: one less than stages"
            )

    def build(self) -> SpectrogramCNN:
        return self.filled(SpectrogramCNN(self))
