"""Audio spectrogram transformer (Gong et al. 2021, arXiv:2104.01778)."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.interfaces import Encoder
from weft.core.ranges import COUNT, SHARE_BELOW_1, require
from weft.core.records import Features, Field
from weft.core.shapes import check_shape
from weft.encoders.weights import WithWeights
from weft.layers.packing import Packing
from weft.layers.padded import is_padded
from weft.layers.transformer import TransformerConfig


class SpectrogramTransformer(nn.Module):
    """Frames (B, T, M) -> tokens: class tokens first, then square patches in order of time, low bands first.

    pooled: the mean of the class tokens. Patches overlap if `stride` is smaller than `patch`. Frames after the last
    whole patch are ignored, and a sound shorter than a patch is padded with zeros.
    """

    def __init__(self, config: "SpectrogramTransformerConfig") -> None:
        super().__init__()
        self.config = config
        self.dim = config.dim
        scale = config.dim**-0.5
        self.patch = nn.Linear(config.patch**2, config.dim)
        self.class_tokens = nn.Parameter(scale * torch.randn(config.class_tokens, config.dim))
        self.class_positions = nn.Parameter(scale * torch.randn(config.class_tokens, config.dim))
        times, bands = config.grid
        self.positions = nn.Parameter(scale * torch.randn(times, bands, config.dim))
        self.transformer = config.transformer().build()
        self.norm = nn.LayerNorm(config.dim, eps=config.norm_eps)

    def forward(self, field: Field) -> Features:
        """At most `frames` real frames a row, mask (B, T) or None where all are real."""
        check_shape(field.values, "B T M", "frames of a spectrogram", M=self.config.mels)
        tokens_BTD, mask_BT = self.embed(field)
        packing = Packing.of(mask_BT)
        tokens_SD = self.norm(self.transformer(packing.pack(tokens_BTD), packing))
        tokens_BTD = packing.unpack(tokens_SD)
        pooled_BD = tokens_BTD[:, : self.config.class_tokens].mean(1)
        return Features(tokens_BTD, packing.mask, pooled_BD)

    def embed(self, field: Field) -> tuple[Tensor, Tensor]:
        """(B, T', D) tokens before the blocks, and their mask (B, T')."""
        config = self.config
        values_BTM = field.values.to(self.patch.weight.dtype)
        rows, frames = values_BTM.shape[:2]
        if field.mask is None:
            lengths_B = torch.full((rows,), frames, device=values_BTM.device)
        else:
            values_BTM = values_BTM.masked_fill(~field.mask[..., None], 0)
            lengths_B = field.mask.sum(1)
        if not is_padded():  # the padded mode requires at least one patch
            values_BTM = F.pad(values_BTM, (0, 0, 0, max(0, config.patch - frames)))
        patches_BTFPQ = values_BTM.unfold(1, config.patch, config.stride).unfold(
            2, config.patch, config.stride
        )
        times, bands = patches_BTFPQ.shape[1:3]
        if times > config.grid[0]:
            raise ValueError(f"a sound has {frames} frames, expected at most {config.frames}")
        # AST's convolution has bands as rows and times as columns.
        patches_BTFX = patches_BTFPQ.transpose(3, 4).flatten(3)
        tokens_BTD = (self.patch(patches_BTFX) + self.positions[:times]).flatten(1, 2)
        first_BCD = (self.class_tokens + self.class_positions).expand(rows, -1, -1)
        counts_B = ((lengths_B - config.patch) // config.stride + 1).clamp_min(1)
        counts_B = torch.where(lengths_B > 0, counts_B, 0)
        there_BT = torch.arange(times, device=counts_B.device)[None] < counts_B[:, None]
        first_BC = (lengths_B > 0)[:, None].expand(-1, config.class_tokens)
        mask_BT = torch.cat([first_BC, there_BT.repeat_interleave(bands, dim=1)], dim=1)
        return torch.cat([first_BCD.to(tokens_BTD.dtype), tokens_BTD], dim=1), mask_BT


@dataclass(frozen=True)
class SpectrogramTransformerConfig(WithWeights, Config[Encoder]):
    """AST: a vision transformer over patches of a spectrogram, pre-norm."""

    mels: int = 128
    """Bands of the spectrogram."""
    frames: int = 1024
    """Maximum number of frames, for which positions are learned."""
    patch: int = 16
    """Frames and bands of a patch."""
    stride: int = 10
    """Frames and bands from one patch to the next."""
    dim: int = 192
    depth: int = 6
    heads: int = 3
    mlp: int | None = None
    class_tokens: int = 2
    """Number of class tokens; two as published: one is for distillation."""
    norm_eps: float = 1e-12
    dropout: float = 0.0
    attention_dropout: float = 0.0
    drop_path: float = 0.0
    weights: str | None = None
    """Safetensors file with this class's keys, or none for random weights."""

    def __post_init__(self) -> None:
        require(self, mels=COUNT, frames=COUNT, patch=COUNT, stride=COUNT, class_tokens=COUNT)
        require(self, dropout=SHARE_BELOW_1, depth=COUNT)
        if self.patch > min(self.mels, self.frames):
            raise ValueError(
                f"patch is {self.patch}, expected at most mels, {self.mels}, and frames, {self.frames}"
            )
        self.transformer()

    @property
    def grid(self) -> tuple[int, int]:
        """Number of patches along the longest sound, and along the bands."""
        return tuple((n - self.patch) // self.stride + 1 for n in (self.frames, self.mels))  # type: ignore[return-value]

    def transformer(self) -> TransformerConfig:
        """The stack of blocks."""
        return TransformerConfig.of(self)

    def build(self) -> SpectrogramTransformer:
        return self.filled(SpectrogramTransformer(self))
