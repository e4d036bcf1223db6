"""Masked video modelling: the pixels of hidden tubes are predicted (VideoMAE: Tong et al. 2022, arXiv:2203.12602)."""

from dataclasses import dataclass, replace

import torch.nn.functional as F
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.distributed import mean_of_all
from weft.core.interfaces import EncodedStreams, Objective, Reader
from weft.core.needs import Needs
from weft.core.ranges import COUNT, POSITIVE_SHARE, require
from weft.core.records import Batch, Features, Field, Loss
from weft.core.shapes import check_shape
from weft.objectives._masking import (
    Head,
    chosen_places,
    encode_masked,
    input_field,
    real,
    rows_at,
    scaled,
)
from weft.objectives._presence import nothing, rows_with
from weft.objectives.masked_patches import CHANNELS, GREY, enlarged


class MaskedVideo(nn.Module):
    """Patches of the frames become grey, and their tokens predict their pixels.

    A tube is a patch in all frames: what is hidden cannot be copied from the frame before. Squared error of pixels in
    [-1, 1], a mean over the hidden patches of all ranks. The stream's tokens must be as many for each frame, the last
    ones its patches, row by row: a picture encoder of each frame, or one token a frame with `patch_size` its side.
    """

    def __init__(self, config: "MaskedVideoConfig") -> None:
        super().__init__()
        self.config = config
        self.head = Head(config.dim, config.dim)
        self.out = scaled(nn.Linear(config.dim, CHANNELS * config.pixels**2))

    def forward(self, model: Reader, batch: Batch, streams: EncodedStreams) -> Loss:
        batch, streams = rows_with(batch, streams, (self.config.masked,))
        field = input_field(model, batch, self.config.masked)
        if field is None:
            return nothing(self, batch, "even")
        check_shape(field.values, "B F 3 H W", "frames of videos")
        hidden_BFHW = self.choose(batch, field)
        places_BFHW = enlarged(hidden_BFHW.flatten(0, 1), self.config.patch_size)
        pixels = field.values.flatten(0, 1).masked_fill(places_BFHW[:, None], GREY)
        altered = replace(field, values=pixels.view_as(field.values))
        features = encode_masked(model, batch, streams, self.config.masked, altered)
        chosen_BT = hidden_BFHW.flatten(1)
        wanted_NP = rows_at(self.wanted(field.values), chosen_BT)
        tokens_ND = rows_at(self.patches(features, hidden_BFHW), chosen_BT)
        found_NP = self.out(self.head(tokens_ND)).float()
        costs_N = (found_NP - wanted_NP).square().mean(dim=1)
        # Baseline: the cost of predicting one even colour for each patch.
        colours_NCP = wanted_NP.view(len(wanted_NP), CHANNELS, self.config.pixels**2)
        even_N = (colours_NCP - colours_NCP.mean(2, keepdim=True)).square().mean(dim=(1, 2))
        return Loss(mean_of_all(costs_N), {"even": mean_of_all(even_N)})

    def choose(self, batch: Batch, field: Field) -> Tensor:
        """(B, F, H, W) True at the patches to be hidden, in frames that are there."""
        frames, (height, width) = field.values.shape[1], field.values.shape[-2:]
        side = self.config.patch_size
        if height % side or width % side:
            raise ValueError(f"frames are {height} x {width} pixels, expected multiples of {side}")
        shape = (height // side, width // side)
        count = shape[0] * shape[1]
        if self.config.tubes and count == 1:
            raise ValueError(
                f"a patch of {side} pixels is a whole frame, and tubes hide it in all: expected tubes False"
            )
        real_BF = real(field)
        if self.config.tubes:
            there_BT = real_BF.any(dim=1, keepdim=True).expand(-1, count)
        else:
            there_BT = real_BF.repeat_interleave(count, dim=1)
        scores_BT = batch.uniform(f"masked {self.config.masked}: patch", there_BT.shape[1])
        chosen_BT = chosen_places(scores_BT, there_BT, self.config.mask_ratio)
        chosen_BFT = chosen_BT.view(len(field), 1 if self.config.tubes else frames, count)
        return (chosen_BFT & real_BF[:, :, None]).view(len(field), frames, *shape)

    def wanted(self, pixels_BFCHW: Tensor) -> Tensor:
        """(B, T, 3 x pixels x pixels) the patches of all frames, reduced in size, in [-1, 1]."""
        side, small = self.config.patch_size, self.config.pixels
        frames_NCHW = pixels_BFCHW.flatten(0, 1).float() / 127.5 - 1
        height, width = (small * (size // side) for size in frames_NCHW.shape[-2:])
        reduced = F.adaptive_avg_pool2d(frames_NCHW, (height, width))
        patches_NTP = F.unfold(reduced, small, stride=small).transpose(1, 2)
        rows, frames = pixels_BFCHW.shape[:2]
        return patches_NTP.reshape(rows, frames * patches_NTP.shape[1], patches_NTP.shape[2])

    def patches(self, features: Features, hidden_BFHW: Tensor) -> Tensor:
        """(B, T, D) the tokens of patches."""
        check_shape(features.tokens, "B T D", "the masked stream", D=self.config.dim)
        rows, frames = hidden_BFHW.shape[:2]
        tokens, count = features.tokens.shape[1], hidden_BFHW.shape[2] * hidden_BFHW.shape[3]
        if tokens % frames or tokens // frames < count:
            raise ValueError(
                f"the masked stream has {tokens} tokens for {frames} frames, expected as many for each, {count} or "
                "more: one for each patch"
            )
        each_BFTD = features.tokens.view(rows, frames, tokens // frames, self.config.dim)
        return each_BFTD[:, :, tokens // frames - count :].flatten(1, 2)


@dataclass(frozen=True)
class MaskedVideoConfig(Config[Objective]):
    """Masked video modelling: predict the pixels of hidden patches of frames (VideoMAE)."""

    dim: int
    """Width of the stream's tokens where they are read: after fusion, or its encoder's."""
    patch_size: int
    """Side of a patch in pixels: that of the encoder's tokens; the side of a frame where each is one token."""
    pixels: int = 8
    """Side of what is predicted of a patch, which is made so small by averaging."""
    masked: str = "video"
    """Stream whose frames are hidden."""
    mask_ratio: float = 0.75
    """Share of the tubes, or of all patches, that is hidden."""
    tubes: bool = True
    """A patch is hidden in all frames of a video; False: each by itself."""

    def __post_init__(self) -> None:
        require(self, dim=COUNT, patch_size=COUNT, pixels=COUNT, mask_ratio=POSITIVE_SHARE)
        if self.pixels > self.patch_size:
            raise ValueError(
                f"pixels is {self.pixels}, expected at most patch_size, {self.patch_size}"
            )

    @property
    def needs(self) -> Needs:
        return Needs(raw=(self.masked,))

    def build(self) -> MaskedVideo:
        return MaskedVideo(self)
