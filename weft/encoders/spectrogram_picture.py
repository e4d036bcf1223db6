"""A picture encoder that reads spectrograms (Palanisamy et al. 2020, arXiv:2007.11154: ImageNet weights for sounds)."""

from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import nn

from weft.core.building import build
from weft.core.config import Config
from weft.core.interfaces import Encoder
from weft.core.ranges import COUNT, POSITIVE, require
from weft.core.records import Features, Field
from weft.core.shapes import check_shape


class SpectrogramPicture(nn.Module):
    """Frames (B, T, M) -> grey pictures (B, 3, M, frames), low frequencies at the bottom -> what the encoder gives.

    Every sound has the same number of frames: what is longer is cut, what is shorter is followed by black, as
    is padding. A row is therefore the same picture alone and in a padded batch.
    """

    def __init__(self, config: "SpectrogramPictureConfig") -> None:
        super().__init__()
        self.config = config
        self.encoder = build(config.encoder)
        self.dim = cast(Encoder, self.encoder).dim

    def forward(self, field: Field) -> Features:
        """Frames (B, T, M) of mean 0 and deviation 1 as the modality makes them, mask (B, T) or None."""
        check_shape(field.values, "B T M", "frames of a spectrogram")
        config = self.config
        share_BTM = (field.values.float() / config.reach + 1) / 2
        if field.mask is not None:
            share_BTM = share_BTM.masked_fill(~field.mask[..., None], 0)
        grey_BTM = (share_BTM.clamp(0, 1) * 255).round().to(torch.uint8)
        grey_BTM = F.pad(grey_BTM, (0, 0, 0, config.frames))[:, : config.frames]
        pictures = grey_BTM.transpose(1, 2).flip(1)[:, None].expand(-1, 3, -1, -1)
        features: Features = self.encoder(Field(pictures.contiguous()))
        return features


@dataclass(frozen=True)
class SpectrogramPictureConfig(Config[Encoder]):
    """A picture encoder over spectrograms."""

    encoder: Config[Encoder]
    """Of pictures of any size, such as MobileNetV2 with its published weights."""
    frames: int = 250
    """Width of the picture."""
    reach: float = 3.0
    """Values from -reach to reach become black to white."""

    def __post_init__(self) -> None:
        require(self, frames=COUNT, reach=POSITIVE)

    def build(self) -> SpectrogramPicture:
        return SpectrogramPicture(self)
