"""A picture encoder applied to spectrograms (Palanisamy et al. 2020, arXiv:2007.11154: ImageNet weights for sounds)."""

from dataclasses import dataclass
from typing import Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weft.core.building import build
from weft.core.config import Config
from weft.core.interfaces import Encoder
from weft.core.ranges import COUNT, require
from weft.core.records import Features, Field
from weft.core.shapes import check_shape
from weft.encoders.by_length import by_length
from weft.layers.pooling import pool


class SpectrogramPicture(nn.Module):
    """Frames (B, T, M) -> grey pictures (3, M, T) with low frequencies at the bottom -> the encoder's features.

    The minimum of a sound becomes black, the maximum white. Each sound is a picture of its own length, so a row gives
    the same result alone and in a padded batch. Sounds of one length are encoded together.
    """

    def __init__(self, config: "SpectrogramPictureConfig") -> None:
        super().__init__()
        self.config = config
        self.encoder = build(config.encoder)
        inner = cast(Encoder, self.encoder).dim
        self.dim = 2 * inner if config.pooling == "both" else inner

    def forward(self, field: Field) -> Features:
        """Mask (B, T), or None if all frames are real."""
        check_shape(field.values, "B T M", "frames of a spectrogram")
        values = Field(field.values.float(), field.mask)
        return by_length(values, self._encoded, self.dim)

    def _encoded(self, values_BTM: Tensor) -> Features:
        """Encodes sounds of one length."""
        config = self.config
        if config.shrink > 1 and len(values_BTM):
            values_BMT = F.avg_pool1d(values_BTM.transpose(1, 2), config.shrink, ceil_mode=True)
            values_BTM = values_BMT.transpose(1, 2)
        low_B11 = values_BTM.amin((1, 2), keepdim=True) if len(values_BTM) else 0
        high_B11 = values_BTM.amax((1, 2), keepdim=True) if len(values_BTM) else 1
        share_BTM = (values_BTM - low_B11) / torch.as_tensor(high_B11 - low_B11).clamp_min(1e-6)
        grey_BMT = (share_BTM * 255).to(torch.uint8).transpose(1, 2).flip(1)
        # A short sound is padded with black at its end, since encoders halve the sides several
        # times.
        grey_BMT = F.pad(grey_BMT, (0, max(0, config.least - grey_BMT.shape[2])))
        pictures = grey_BMT[:, None].expand(-1, 3, -1, -1).contiguous()
        features: Features = self.encoder(Field(pictures))
        if config.pooling == "encoder":
            return features
        loudest_BD = pool(features.tokens, features.mask, "max")
        pooled_BD = torch.cat([features.pooled, loudest_BD], dim=1)
        tokens_BTD = torch.cat([features.tokens, features.tokens], dim=2)
        return Features(tokens_BTD, features.mask, pooled_BD)


@dataclass(frozen=True)
class SpectrogramPictureConfig(Config[Encoder]):
    """A picture encoder over spectrograms."""

    encoder: Config[Encoder]
    """Encoder for pictures of any size, such as MobileNetV2 with its published weights."""
    shrink: int = 1
    """Number of frames that are averaged first."""
    least: int = 32
    """Minimum width of a picture."""
    pooling: Literal["encoder", "both"] = "encoder"
    """encoder: the encoder's pooled vector; both: that vector followed by the maximum over the picture."""

    def __post_init__(self) -> None:
        require(self, shrink=COUNT, least=COUNT)

    def build(self) -> SpectrogramPicture:
        return SpectrogramPicture(self)
