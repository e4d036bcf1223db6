"""Concatenates neighbouring frames of a sound to tokens without weights, for a network over time."""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import nn

from weft.core.config import Config
from weft.core.interfaces import Encoder
from weft.core.ranges import COUNT, require
from weft.core.records import Features, Field
from weft.core.shapes import check_shape
from weft.layers.pooling import pool


class StackedFrames(nn.Module):
    """Frames (B, T, M) -> tokens (B, ceil(T / stack), stack * M), each of `stack` consecutive frames (Sak et al.
    2015, arXiv:1507.06947, section 4); the last one is padded with 0. pooled: the mean of the tokens."""

    def __init__(self, config: "StackedFramesConfig") -> None:
        super().__init__()
        self.config = config
        self.dim = config.bands * config.stack

    def forward(self, field: Field) -> Features:
        """Mask (B, T), or None if all frames are real. A token is real if its first frame is."""
        stack = self.config.stack
        check_shape(field.values, "B T M", "frames of a sound", M=self.config.bands)
        values_BTM = field.values.float()
        mask_BT = field.real
        values_BTM = values_BTM.masked_fill(~mask_BT[..., None], 0)
        more = -values_BTM.shape[1] % stack
        tokens_BTD = F.pad(values_BTM, (0, 0, 0, more))
        places = tokens_BTD.shape[1] // stack
        tokens_BTD = tokens_BTD.reshape(tokens_BTD.shape[0], places, self.dim)
        mask_BT = mask_BT[:, ::stack]
        return Features(tokens_BTD, mask_BT, pool(tokens_BTD, mask_BT, "mean"))


@dataclass(frozen=True)
class StackedFramesConfig(Config[Encoder]):
    """Concatenates neighbouring frames of a sound."""

    bands: int
    """Width of a frame: mel bands or cepstra."""
    stack: int = 4
    """Number of frames in a token."""

    def __post_init__(self) -> None:
        require(self, bands=COUNT, stack=COUNT)

    def build(self) -> StackedFrames:
        return StackedFrames(self)
