"""A transformer over patches of pixels (DiT: Peebles & Xie 2023, arXiv:2212.09748)."""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.ranges import COUNT, at_least, require
from weft.core.records import Features
from weft.core.shapes import check_shape
from weft.decoders.velocity.base import Condition, Velocity, zeroed
from weft.layers.modulated import ModulatedTransformerBlock, spread
from weft.layers.packing import Packing
from weft.layers.pairing import Pairing
from weft.layers.patches import patches_of
from weft.layers.positions import grid_positions

CHANNELS = 3


class PatchVelocity(nn.Module):
    """(B, 3, H, W) noisy pixels -> their velocity (B, 3, H, W): each patch is a token with a learned place.

    The tokens of the context are attended to; its pooled vector and the time modulate every block.
    """

    def __init__(self, config: "PatchVelocityConfig") -> None:
        super().__init__()
        self.config = config
        self.shape = config.shape
        self.context_dim = config.context_dim
        pixels, dim = CHANNELS * config.patch**2, config.dim
        self.first = nn.Linear(pixels, dim)
        side = config.size // config.patch
        self.places = nn.Parameter(grid_positions(side, side, dim))
        self.condition = Condition(config.context_dim, dim)
        self.blocks = nn.ModuleList(
            ModulatedTransformerBlock(
                dim, config.heads, dim, config.context_dim, config.mlp or 4 * dim
            )
            for _ in range(config.depth)
        )
        self.norm = nn.LayerNorm(dim, elementwise_affine=False)
        self.modulation = zeroed(nn.Linear(dim, 2 * dim))
        self.last = zeroed(nn.Linear(dim, pixels))

    def forward(self, values_BX: Tensor, times_B: Tensor, context: Features) -> Tensor:
        size, patch = self.config.size, self.config.patch
        check_shape(values_BX, "B C H W", "noisy pixels", C=CHANNELS, H=size, W=size)
        check_shape(context.pooled, "B D", "the context", D=self.context_dim)
        condition_BD = self.condition(times_B, context.pooled)
        tokens_BTD = self.first(patches_of(values_BX, patch)) + self.places
        rows, length, _ = tokens_BTD.shape
        packing = Packing.dense(rows, length, tokens_BTD.device)
        told = Packing.of(context.mask)
        pairing, context_SC = Pairing.of(packing, told), told.pack(context.tokens)
        tokens_SD = packing.pack(tokens_BTD)
        for block in self.blocks:
            tokens_SD = block(tokens_SD, condition_BD, context_SC, pairing)
        scale, shift = (spread(one, packing) for one in self.modulation(condition_BD).chunk(2, 1))
        found_SP = self.last(self.norm(tokens_SD) * (1 + scale) + shift)
        columns = packing.unpack(found_SP).transpose(1, 2)
        return F.fold(columns, (size, size), patch, stride=patch)


@dataclass(frozen=True)
class PatchVelocityConfig(Config[Velocity]):
    """A transformer over patches of pixels."""

    size: int
    """Side of the picture in pixels."""
    context_dim: int
    """Width of the context."""
    patch: int = 8
    """Side of a patch in pixels."""
    dim: int = 192
    depth: int = 6
    heads: int = 6
    mlp: int | None = None
    """Hidden width of the MLPs, None for 4 * dim."""

    def __post_init__(self) -> None:
        require(self, size=COUNT, context_dim=COUNT, patch=COUNT, dim=COUNT, depth=at_least(0))
        require(self, heads=COUNT, mlp=COUNT)
        if self.size % self.patch:
            raise ValueError(f"size is {self.size}, expected a multiple of patch, {self.patch}")
        if self.dim % self.heads or self.dim % 4:
            raise ValueError(
                f"dim is {self.dim}, expected a multiple of 4 and of heads, {self.heads}"
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """Of what it moves."""
        return CHANNELS, self.size, self.size

    def build(self) -> PatchVelocity:
        return PatchVelocity(self)
