"""Masked image modelling: the pixels of hidden patches are predicted (SimMIM: Xie et al. 2022,
arXiv:2111.09886, section 3)."""

from dataclasses import dataclass, replace

import torch
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
    chosen_places,
    encode_masked,
    input_field,
    rows_at,
    scaled,
)
from weft.objectives._presence import nothing, rows_with

GREY = 128
"""The value of hidden pixels, the middle of their range. A linear patch embedding maps it to its bias, which is
learned: a mask token. So the objective works with any picture encoder.
"""
CHANNELS = 3


class MaskedPatches(nn.Module):
    """Blocks of a picture become grey, and a linear map of their tokens predicts their pixels.

    Absolute error of pixels in [-1, 1], a mean over the hidden patches of all ranks. The stream's last
    tokens must be the picture's patches, row by row, of `patch_size` pixels a side: a vision
    transformer's (a class token may stand before them) or the grid of a convolutional network.
    """

    def __init__(self, config: "MaskedPatchesConfig") -> None:
        super().__init__()
        self.config = config
        self.out = scaled(nn.Linear(config.dim, CHANNELS * config.patch_size**2))

    def forward(self, model: Reader, batch: Batch, streams: EncodedStreams) -> Loss:
        batch, streams = rows_with(batch, streams, (self.config.masked,))
        field = input_field(model, batch, self.config.masked)
        if field is None:
            return nothing(self, batch, "even")
        check_shape(field.values, "B 3 H W", "pictures")
        blocks_BHW = self.choose(batch, field)
        altered = replace(field, values=self.hidden(field.values, blocks_BHW))
        features = encode_masked(model, batch, streams, self.config.masked, altered)
        chosen_BT = enlarged(blocks_BHW, self.config.block).flatten(1)
        wanted_MP = rows_at(patches_of(field.values, self.config.patch_size), chosen_BT)
        tokens_MD = rows_at(self.patches(features, chosen_BT), chosen_BT)
        costs_M = torch.cat(
            streams.by_rows(
                lambda tokens_MD, wanted_MP: (
                    (self.out(tokens_MD).float() - wanted_MP).abs().mean(dim=1)
                ),
                tokens_MD,
                wanted_MP,
            )
        )
        # Baseline: the cost of predicting one even colour for each patch.
        shape = (len(wanted_MP), CHANNELS, self.config.patch_size**2)
        even_M = (wanted_MP.view(shape) - wanted_MP.view(shape).mean(2, keepdim=True)).abs()
        return Loss(mean_of_all(costs_M), {"even": mean_of_all(even_M.mean(dim=(1, 2)))})

    def choose(self, batch: Batch, field: Field) -> Tensor:
        """(B, H, W) True at the blocks to be hidden, in rows that have a picture."""
        height, width = field.values.shape[-2:]
        side = self.config.block * self.config.patch_size
        if height % side or width % side:
            raise ValueError(
                f"pictures are {height} x {width} pixels, expected multiples of {side}, "
                "the side of a block that is hidden"
            )
        shape = (len(field), height // side, width // side)
        there_B = torch.ones(len(field), dtype=torch.bool, device=field.values.device)
        there_BT = (there_B if field.present is None else field.present)[:, None].expand(
            len(field), shape[1] * shape[2]
        )
        scores_BT = batch.uniform(f"masked {self.config.masked}: block", there_BT.shape[1])
        return chosen_places(scores_BT, there_BT, self.config.mask_ratio).view(shape)

    def hidden(self, pixels_BCHW: Tensor, blocks_BHW: Tensor) -> Tensor:
        """The pictures with grey blocks."""
        places_BHW = enlarged(blocks_BHW, self.config.block * self.config.patch_size)
        return pixels_BCHW.masked_fill(places_BHW[:, None], GREY)

    def patches(self, features: Features, chosen_BT: Tensor) -> Tensor:
        """(B, T, D) the tokens of patches."""
        check_shape(features.tokens, "B T D", "the masked stream", D=self.config.dim)
        special = features.tokens.shape[1] - chosen_BT.shape[1]
        if special < 0:
            raise ValueError(
                f"the masked stream has {features.tokens.shape[1]} tokens, expected one for each of "
                f"the {chosen_BT.shape[1]} patches of {self.config.patch_size} pixels (and no "
                "drop_patches in its encoder)"
            )
        return features.tokens[:, special:]


def patches_of(pixels_BCHW: Tensor, size: int) -> Tensor:
    """(B, T, 3 * size * size) pixels in [-1, 1] of each patch, row by row."""
    return F.unfold(pixels_BCHW.float() / 127.5 - 1, size, stride=size).transpose(1, 2)


def enlarged(places_BHW: Tensor, times: int) -> Tensor:
    """Repeats every position `times` times in height and width."""
    return places_BHW.repeat_interleave(times, dim=1).repeat_interleave(times, dim=2)


@dataclass(frozen=True)
class MaskedPatchesConfig(Config[Objective]):
    """Masked image modelling: predict the pixels of hidden patches (SimMIM)."""

    dim: int
    """Width of the stream's tokens where they are read: after fusion, or its encoder's."""
    patch_size: int
    """Side of a patch in pixels: that of the encoder's tokens."""
    masked: str = "image"
    """Stream whose patches are hidden."""
    mask_ratio: float = 0.6
    """Share of the picture that is hidden."""
    block: int = 1
    """Side of what is hidden as one, in patches; 32 pixels in the paper."""

    def __post_init__(self) -> None:
        require(self, mask_ratio=POSITIVE_SHARE, dim=COUNT, patch_size=COUNT, block=COUNT)

    @property
    def needs(self) -> Needs:
        return Needs(raw=(self.masked,))

    def build(self) -> MaskedPatches:
        return MaskedPatches(self)
