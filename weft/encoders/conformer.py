"""Conformer (Gulati et al. 2020, arXiv:2005.08100): attention and convolutions over the frames of speech."""

from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.interfaces import Encoder
from weft.core.ranges import COUNT, SHARE_BELOW_1, require
from weft.core.records import Features, Field
from weft.core.shapes import check_shape
from weft.encoders.weights import WithWeights
from weft.layers.convolution import by_pixel, channels_last, initialize_convolutions
from weft.layers.masked_convolution import PaddedBatchNorm, halved_mask, without_padding
from weft.layers.packing import Packing
from weft.layers.pooling import pool
from weft.layers.relative_attention import RelativeAttention
from weft.layers.transformer import ResidualDropout, Transformer, TransformerConfig


class FeedForward(nn.Module):
    """Norm, linear map, Swish, linear map (section 2.3)."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(config.dim, eps=config.norm_eps)
        self.fc1 = nn.Linear(config.dim, config.hidden)
        self.fc2 = nn.Linear(config.hidden, config.dim)

    def forward(self, tokens_SD: Tensor) -> Tensor:
        changed: Tensor = self.fc2(F.silu(self.fc1(self.norm(tokens_SD))))
        return changed


class ConvolutionModule(nn.Module):
    """Norm, gated linear map, a convolution of each channel over time, batch norm, Swish, linear map (section 2.2)."""

    def __init__(self, config: TransformerConfig, kernel: int) -> None:
        super().__init__()
        dim = config.dim
        self.norm = nn.LayerNorm(dim, eps=config.norm_eps)
        self.gated = nn.Linear(dim, 2 * dim, bias=False)
        self.over_time = nn.Conv1d(dim, dim, kernel, padding=kernel // 2, groups=dim, bias=False)
        self.batch_norm = PaddedBatchNorm(dim)
        self.out = nn.Linear(dim, dim, bias=False)

    def forward(self, tokens_SD: Tensor, packing: Packing) -> Tensor:
        gated_SD = F.glu(self.gated(self.norm(tokens_SD)), dim=1)
        # Unpacked, the padding is zero, like the padding of the convolution.
        mixed_BDT = self.over_time(packing.unpack(gated_SD).transpose(1, 2))
        mixed_SD = packing.pack(mixed_BDT.transpose(1, 2).contiguous())
        changed: Tensor = self.out(F.silu(self.batch_norm.matrix(mixed_SD)))
        return changed


class ConformerBlock(nn.Module):
    """Half a feed-forward, attention, convolution, half a feed-forward, norm (section 2.4, equation 1)."""

    def __init__(self, config: TransformerConfig, drop_path: float, kernel: int) -> None:
        super().__init__()
        self.first = FeedForward(config)
        self.attention_norm = nn.LayerNorm(config.dim, eps=config.norm_eps)
        self.attention = RelativeAttention(
            config.dim, config.heads, dropout=config.attention_dropout
        )
        self.convolution = ConvolutionModule(config, kernel)
        self.second = FeedForward(config)
        self.norm = nn.LayerNorm(config.dim, eps=config.norm_eps)
        self.drop = ResidualDropout(config.dropout, drop_path)

    def forward(self, tokens_SD: Tensor, packing: Packing) -> Tensor:
        """(S, D) packed tokens -> (S, D)."""
        tokens_SD = tokens_SD + self.drop(self.first(tokens_SD), packing) / 2
        attended_SD = self.attention(self.attention_norm(tokens_SD), packing)
        tokens_SD = tokens_SD + self.drop(attended_SD, packing)
        tokens_SD = tokens_SD + self.drop(self.convolution(tokens_SD, packing), packing)
        tokens_SD = tokens_SD + self.drop(self.second(tokens_SD), packing) / 2
        normal: Tensor = self.norm(tokens_SD)
        return normal


class Conformer(nn.Module):
    """Frames (B, T, M) -> tokens (B, ceil(T / subsampling), D) in order of time; pooled: their mean.

    Padding is zeroed before each convolution, so a sound gives the same result alone and in a batch.
    """

    def __init__(self, config: "ConformerConfig") -> None:
        super().__init__()
        self.config = config
        self.dim = config.dim
        self.halvings = nn.ModuleList()
        channels, bands = 1, config.mels
        for _ in range(config.halvings):
            self.halvings.append(nn.Conv2d(channels, config.channels, 3, stride=2, padding=1))
            channels, bands = config.channels, (bands + 1) // 2
        self.map = nn.Linear(channels * bands, config.dim)
        self.dropout = nn.Dropout(config.dropout)
        block = partial(ConformerBlock, kernel=config.kernel)
        self.transformer = Transformer(config.transformer(), block)
        initialize_convolutions(self)
        channels_last(self)

    def forward(self, field: Field) -> Features:
        """Mask (B, T), or None where all frames are real."""
        check_shape(field.values, "B T M", "frames of a spectrogram", M=self.config.mels)
        mask_BT = field.real
        grid_BCTM = field.values.to(self.map.weight.dtype)[:, None]
        for convolution in self.halvings:
            grid_BCTM = convolution(by_pixel(without_padding(grid_BCTM, mask_BT)))
            grid_BCTM, mask_BT = F.relu(grid_BCTM), halved_mask(mask_BT)
        packing = Packing.of(mask_BT)
        tokens_SD = self.dropout(self.map(packing.pack(grid_BCTM.transpose(1, 2).flatten(2))))
        tokens_BTD = packing.unpack(self.transformer(tokens_SD, packing))
        return Features(tokens_BTD, packing.mask, pool(tokens_BTD, packing.mask, "mean"))


@dataclass(frozen=True)
class ConformerConfig(WithWeights, Config[Encoder]):
    """A Conformer over spectrograms."""

    mels: int = 80
    """Bands of the spectrogram."""
    subsampling: Literal[2, 4] = 4
    """Frames for each token. Each convolution at the input halves their number."""
    channels: int = 32
    """Channels of the convolutions at the input."""
    dim: int = 144
    depth: int = 4
    heads: int = 4
    mlp: int | None = None
    kernel: int = 15
    """Kernel size of the convolution in a block, an odd number of tokens."""
    norm_eps: float = 1e-5
    dropout: float = 0.0
    attention_dropout: float = 0.0
    drop_path: float = 0.0
    weights: str | None = None
    """Safetensors file with this class's keys, or none for random weights."""

    def __post_init__(self) -> None:
        require(self, mels=COUNT, channels=COUNT, kernel=COUNT, depth=COUNT, dropout=SHARE_BELOW_1)
        if self.kernel % 2 == 0:
            raise ValueError(f"kernel is {self.kernel}, expected an odd number")
        if self.dim % 2:
            raise ValueError(f"dim is {self.dim}, expected an even number")
        self.transformer()

    @property
    def halvings(self) -> int:
        """Number of convolutions at the input."""
        return self.subsampling // 2

    def transformer(self) -> TransformerConfig:
        """The stack of blocks."""
        return TransformerConfig.of(self)

    def build(self) -> Conformer:
        return self.filled(Conformer(self))
