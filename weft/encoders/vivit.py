"""Videos by attention over all tubelets at once (Arnab et al. 2021, arXiv:2103.15691: ViViT, model 1)."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.interfaces import Encoder
from weft.core.ranges import COUNT, require
from weft.core.records import Features, Field
from weft.core.shapes import check_shape
from weft.encoders.space_time import SpaceTimeSettings, frame_numbers
from weft.layers.convolution import Normalize
from weft.layers.packing import Packing
from weft.layers.patches import grid_of, patches_of, resized
from weft.layers.transformer import Activation


class ViViT(nn.Module):
    """Videos of uint8 frames -> tokens: class token first, then the tubelets of each stretch of time, row by row.

    A tubelet is the patch at one position in `tubelet` consecutive frames (section 3.2). If a video ends within one,
    its last frame is repeated. pooled: the class token.
    """

    def __init__(self, config: "ViViTConfig") -> None:
        super().__init__()
        self.config = config
        self.dim = config.dim
        scale = config.dim**-0.5
        self.normalize = Normalize(config.mean, config.std)
        self.patch = nn.Linear(config.tubelet * 3 * config.patch_size**2, config.dim)
        self.class_token = nn.Parameter(scale * torch.randn(config.dim))
        self.class_position = nn.Parameter(scale * torch.randn(config.dim))
        times, patches = config.frames // config.tubelet, config.side**2
        self.positions = nn.Parameter(scale * torch.randn(times, patches, config.dim))
        self.dropout = nn.Dropout(config.dropout)
        self.transformer = config.transformer().build()
        self.norm = nn.LayerNorm(config.dim, eps=config.norm_eps)

    def forward(self, field: Field) -> Features:
        """Frames (B, F, 3, H, W), mask (B, F) or None if all are real; H and W multiples of the patch size."""
        check_shape(field.values, "B F 3 H W", "videos")
        mask_BF = field.real
        frame_numbers(mask_BF, self.config.frames)
        tokens_BTD, mask_BT = self.embed(field.values, mask_BF)
        packing = Packing.of(mask_BT)
        tokens_SD = self.transformer(self.dropout(packing.pack(tokens_BTD)), packing)
        tokens_BTD = packing.unpack(self.norm(tokens_SD))
        return Features(tokens_BTD, packing.mask, tokens_BTD[:, 0])

    def embed(self, frames_BFCHW: Tensor, mask_BF: Tensor) -> tuple[Tensor, Tensor]:
        """(B, T, D) tokens before the blocks, and their mask (B, T)."""
        config = self.config
        rows, grid = mask_BF.shape[0], grid_of(frames_BFCHW, config.patch_size)
        places_BF = filled_up(mask_BF, config.tubelet)
        times = places_BF.shape[1] // config.tubelet
        rows_B1 = torch.arange(rows, device=mask_BF.device)[:, None]
        pixels = self.normalize(
            frames_BFCHW[rows_B1, places_BF].flatten(0, 1), self.patch.weight.dtype
        )
        patches_FPX = patches_of(pixels, config.patch_size)
        patches, width = patches_FPX.shape[1:]
        patches_BTFPX = patches_FPX.view(rows, times, config.tubelet, patches, width)
        tubelets_BTPD = self.patch(patches_BTFPX.transpose(2, 3).flatten(3))
        tubelets_BTPD = tubelets_BTPD + self.places(times, grid)
        class_B1D = (self.class_token + self.class_position).expand(rows, 1, -1)
        tokens_BTD = torch.cat(
            [class_B1D.to(tubelets_BTPD.dtype), tubelets_BTPD.flatten(1, 2)], dim=1
        )
        counts_B = (mask_BF.sum(1) + config.tubelet - 1) // config.tubelet
        real_BT = torch.arange(times, device=counts_B.device) < counts_B[:, None]
        mask_BT = torch.cat(
            [real_BT.any(dim=1, keepdim=True), real_BT.repeat_interleave(patches, dim=1)], dim=1
        )
        return tokens_BTD, mask_BT

    def places(self, times: int, grid: tuple[int, int]) -> Tensor:
        """(T, P, D) position embeddings, interpolated in space for another grid. Beyond the last one in time, it is
        repeated."""
        side = self.config.side
        positions_TPD: Tensor = self.positions
        if grid != (side, side):
            positions_TPD = torch.stack([resized(each, side, grid) for each in self.positions])
        longest = len(positions_TPD)
        numbers_T = torch.arange(times, device=positions_TPD.device).clamp_max(longest - 1)
        found_TX = F.embedding(numbers_T, positions_TPD.flatten(1))
        return found_TX.view(times, *positions_TPD.shape[1:])


def filled_up(mask_BF: Tensor, tubelet: int) -> Tensor:
    """(B, F') frame indices: the real ones, then the last of them repeated, F' a multiple of `tubelet`."""
    frames = mask_BF.shape[1]
    # Not of negative numbers: torch's exporter to ONNX rounds their quotient towards zero.
    longest = (frames + tubelet - 1) // tubelet * tubelet
    # A video without frames uses its first position, which the mask of tubelets hides.
    last_B1 = (mask_BF.sum(1, keepdim=True) - 1).clamp_min(0)
    numbers_F = torch.arange(longest, device=mask_BF.device)
    # Keys without ties, since ONNX has no stable sort: the real frames in their order, then the others.
    keys_BF = numbers_F[:frames].where(mask_BF, numbers_F[:frames] + frames)
    return keys_BF.argsort(dim=1).gather(1, numbers_F.minimum(last_B1))


@dataclass(frozen=True)
class ViViTConfig(SpaceTimeSettings, Config[Encoder]):
    """ViViT: a transformer over tubelets, pre-norm."""

    frames: int = 16
    """Maximum number of frames, for which positions in time are learned: a multiple of `tubelet`."""
    activation: Activation = "gelu_tanh"
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[float, float, float] = (0.5, 0.5, 0.5)
    tubelet: int = 2
    """Frames of a tubelet."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, tubelet=COUNT)
        if self.frames % self.tubelet:
            raise ValueError(
                f"frames is {self.frames}, expected a multiple of tubelet, {self.tubelet}"
            )

    def build(self) -> ViViT:
        return self.filled(ViViT(self))
