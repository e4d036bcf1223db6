"""The encoder of Whisper (Radford et al. 2022, arXiv:2212.04356): two convolutions over time, then a transformer."""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import nn

from weft.core.config import Config
from weft.core.interfaces import Encoder
from weft.core.ranges import COUNT, SHARE_BELOW_1, require
from weft.core.records import Features, Field
from weft.core.shapes import check_shape
from weft.encoders.weights import WithWeights
from weft.layers.masked_convolution import without_padding
from weft.layers.packing import Packing
from weft.layers.pooling import pool
from weft.layers.positions import sine_positions
from weft.layers.transformer import TransformerConfig


class SpeechTransformer(nn.Module):
    """Frames (B, T, M) -> tokens (B, ceil(T / 2), D), pre-norm; pooled: their mean.

    Padding is set to zero before each convolution (silence is not zero), so a sound of any length gives the same
    result alone and in a batch. Whisper itself pads every sound to 30 s and attends to the padding.
    """

    def __init__(self, config: "SpeechTransformerConfig") -> None:
        super().__init__()
        self.config = config
        self.dim = config.dim
        self.conv1 = nn.Conv1d(config.mels, config.dim, 3, padding=1)
        self.conv2 = nn.Conv1d(config.dim, config.dim, 3, stride=2, padding=1)
        self.dropout = nn.Dropout(config.dropout)
        self.transformer = config.transformer().build()
        self.norm = nn.LayerNorm(config.dim)

    def forward(self, field: Field) -> Features:
        """Mask (B, T), or None if all frames are real."""
        check_shape(field.values, "B T M", "frames of a spectrogram", M=self.config.mels)
        mask_BT = field.real
        values_BMT = field.values.to(self.conv1.weight.dtype).transpose(1, 2)
        hidden_BDT = F.gelu(self.conv1(without_padding(values_BMT, mask_BT)))
        hidden_BDT = F.gelu(self.conv2(without_padding(hidden_BDT, mask_BT)))
        packing = Packing.of(mask_BT[:, ::2])
        tokens_SD = packing.pack(hidden_BDT.transpose(1, 2))
        places_SD = sine_positions(packing.positions(), self.dim).to(tokens_SD.dtype)
        tokens_SD = self.transformer(self.dropout(tokens_SD + places_SD), packing)
        tokens_BTD = packing.unpack(self.norm(tokens_SD))
        return Features(tokens_BTD, packing.mask, pool(tokens_BTD, packing.mask, "mean"))


@dataclass(frozen=True)
class SpeechTransformerConfig(WithWeights, Config[Encoder]):
    """Whisper's encoder: half as many tokens as frames."""

    mels: int = 80
    """Bands of the spectrogram."""
    dim: int = 128
    depth: int = 4
    heads: int = 4
    mlp: int | None = None
    dropout: float = 0.0
    attention_dropout: float = 0.0
    weights: str | None = None
    """Safetensors file with this class's keys, or none for random weights."""

    def __post_init__(self) -> None:
        require(self, mels=COUNT, depth=COUNT, dropout=SHARE_BELOW_1)
        self.transformer()
        if self.dim % 2:
            raise ValueError(f"dim is {self.dim}, expected an even number")

    def transformer(self) -> TransformerConfig:
        """The stack of blocks."""
        return TransformerConfig.of(self)

    def build(self) -> SpeechTransformer:
        return self.filled(SpeechTransformer(self))
