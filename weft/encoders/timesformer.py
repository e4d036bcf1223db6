"""Videos by attention over time, then over space (Bertasius et al. 2021, arXiv:2102.05095: TimeSformer)."""

from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.interfaces import Encoder
from weft.core.records import Features, Field
from weft.core.shapes import check_shape
from weft.encoders.space_time import SpaceTimeSettings, frame_numbers
from weft.layers.convolution import Normalize
from weft.layers.packing import Packing
from weft.layers.patches import grid_of, patches_of, resized
from weft.layers.pooling import pool
from weft.layers.transformer import Transformer, TransformerBlock, TransformerConfig


class VideoPacking:
    """The positions of the real tokens of videos (B, F): a class token first, then the patches of each frame.

    tokens: packing of whole videos. time: of each patch position through the frames. space: of each frame with a
    class token.
    """

    def __init__(self, mask_BF: Tensor, patches: int) -> None:
        self.frames = mask_BF
        self.patches = patches
        real_BT = mask_BF.repeat_interleave(patches, dim=1)
        mask_BT = torch.cat([mask_BF.any(dim=1, keepdim=True), real_BT], dim=1)
        self.tokens = Packing.of(mask_BT)
        self.time = Packing.of(mask_BF.repeat_interleave(patches, dim=0))
        self.space = Packing.of(mask_BF.flatten()[:, None].expand(-1, 1 + patches))

    def unpack(self, tokens_SD: Tensor) -> tuple[Tensor, Tensor]:
        """Class tokens (B, 1, D) and patches (B, F, P, D)."""
        tokens_BTD = self.tokens.unpack(tokens_SD)
        patches_BFPD = tokens_BTD[:, 1:].reshape(
            *self.frames.shape, self.patches, tokens_SD.shape[1]
        )
        return tokens_BTD[:, :1], patches_BFPD

    def pack(self, class_B1D: Tensor, patches_BFPD: Tensor) -> Tensor:
        """The inverse of `unpack`."""
        return self.tokens.pack(torch.cat([class_B1D, patches_BFPD.flatten(1, 2)], dim=1))


class DividedBlock(nn.Module):
    """Attention of each patch over time, attention within each frame, and an MLP (section 3: T+S).

    The class token takes part in each frame, and its results are averaged over the frames.
    """

    def __init__(self, config: TransformerConfig, drop_path: float) -> None:
        super().__init__()
        self.time_norm = nn.LayerNorm(config.dim, eps=config.norm_eps)
        self.time_attention = config.self_attention()
        self.time_out = nn.Linear(config.dim, config.dim)
        self.block = TransformerBlock(config, drop_path)

    def forward(self, tokens_SD: Tensor, video: VideoPacking) -> Tensor:
        """(S, D) packed by `video.tokens` -> (S, D)."""
        class_B1D, patches_BFPD = video.unpack(tokens_SD)
        patches_BFPD = patches_BFPD + self.over_time(patches_BFPD, video)
        added_BFLD = self.over_space(class_B1D, patches_BFPD, video)
        class_B1D = class_B1D + pool(added_BFLD[:, :, 0], video.frames, "mean")[:, None]
        tokens_SD = video.pack(class_B1D, patches_BFPD + added_BFLD[:, :, 1:])
        return self.block.feed_forward(tokens_SD, video.tokens)

    def over_time(self, patches_BFPD: Tensor, video: VideoPacking) -> Tensor:
        """Returns the attention of the patches (B, F, P, D) to the same position in other frames."""
        rows, frames, patches, dim = patches_BFPD.shape
        tokens_SD = video.time.pack(patches_BFPD.transpose(1, 2).flatten(0, 1))
        added_SD = self.time_attention(self.time_norm(tokens_SD), video.time)
        added_SD = self.time_out(self.block.drop(added_SD, video.time))
        return video.time.unpack(added_SD).view(rows, patches, frames, dim).transpose(1, 2)

    def over_space(self, class_B1D: Tensor, patches_BFPD: Tensor, video: VideoPacking) -> Tensor:
        """(B, F, 1 + P, D): the attention of class token and patches to each other within each frame."""
        rows, frames = patches_BFPD.shape[:2]
        class_BF1D = class_B1D[:, None].expand(-1, frames, -1, -1)
        frames_BFLD = torch.cat([class_BF1D, patches_BFPD], dim=2)
        tokens_SD = video.space.pack(frames_BFLD.flatten(0, 1))
        added_SD = self.block.attention(self.block.norm1(tokens_SD), video.space)
        added_SD = self.block.drop(added_SD, video.space)
        return video.space.unpack(added_SD).view(rows, frames, *frames_BFLD.shape[2:])


class TimeSformer(nn.Module):
    """Videos of uint8 frames -> tokens: class token first, then the patches of each frame, row by row.

    pooled: the class token. Frames of another size than `image_size` get interpolated position embeddings.
    """

    def __init__(self, config: "TimeSformerConfig") -> None:
        super().__init__()
        self.config = config
        self.dim = config.dim
        scale = config.dim**-0.5
        self.normalize = Normalize(config.mean, config.std)
        self.patch = nn.Linear(3 * config.patch_size**2, config.dim)
        self.class_token = nn.Parameter(scale * torch.randn(config.dim))
        self.positions = nn.Parameter(scale * torch.randn(1 + config.side**2, config.dim))
        self.times = nn.Parameter(scale * torch.randn(config.frames, config.dim))
        self.dropout = nn.Dropout(config.dropout)
        self.transformer = Transformer(config.transformer(), DividedBlock)
        self.norm = nn.LayerNorm(config.dim, eps=config.norm_eps)

    def forward(self, field: Field) -> Features:
        """Frames (B, F, 3, H, W), mask (B, F) or None if all are real; H and W multiples of the patch size."""
        check_shape(field.values, "B F 3 H W", "videos")
        mask_BF = field.real
        grid = grid_of(field.values, self.config.patch_size)
        video = VideoPacking(mask_BF, grid[0] * grid[1])
        tokens_SD = self.dropout(video.pack(*self.embed(field.values, mask_BF, grid)))
        tokens_SD = self.transformer(tokens_SD, cast(Packing, video))
        tokens_BTD = video.tokens.unpack(self.norm(tokens_SD))
        return Features(tokens_BTD, video.tokens.mask, tokens_BTD[:, 0])

    def embed(
        self, frames_BFCHW: Tensor, mask_BF: Tensor, grid: tuple[int, int]
    ) -> tuple[Tensor, Tensor]:
        """Class tokens (B, 1, D) and patches (B, F, P, D) before the blocks."""
        rows, frames = mask_BF.shape
        pixels = self.normalize(frames_BFCHW.flatten(0, 1), self.patch.weight.dtype)
        patches_FPX = patches_of(pixels, self.config.patch_size)
        patches_BFPD = self.patch(patches_FPX).view(rows, frames, patches_FPX.shape[1], self.dim)
        class_B1D = (self.class_token + self.positions[0]).expand(rows, 1, -1)
        places_PD = resized(self.positions[1:], self.config.side, grid)
        times_BFD = F.embedding(frame_numbers(mask_BF, self.config.frames), self.times)
        return class_B1D.to(patches_BFPD.dtype), patches_BFPD + places_PD + times_BFD[:, :, None]


@dataclass(frozen=True)
class TimeSformerConfig(SpaceTimeSettings, Config[Encoder]):
    """TimeSformer: divided attention over time and space, pre-norm."""

    def build(self) -> TimeSformer:
        return self.filled(TimeSformer(self))
