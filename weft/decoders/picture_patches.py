"""A transformer that draws a picture at once, a patch a token, from the tokens and the vector that it reads."""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.interfaces import Decoder
from weft.core.ranges import COUNT, at_least, require
from weft.core.records import Features, Field
from weft.decoders.drawing import DrawingConfig, noise_of, with_noise
from weft.layers.modulated import ModulatedTransformerBlock
from weft.layers.packing import Packing
from weft.layers.pairing import Pairing
from weft.layers.positions import grid_positions

CHANNELS = 3


class PicturePatches(nn.Module):
    """The context, and noise beside its pooled vector, -> pixels (B, 3, S, S) in [-1, 1].

    Each patch begins as the learned code of its place, attends to the others and to the tokens of the context, and
    is modulated by the vector.
    """

    def __init__(self, config: "PicturePatchesConfig") -> None:
        super().__init__()
        self.config = config
        self.shape = config.shape
        self.noise = (config.noise,) if config.noise else ()
        dim = config.dim
        self.mapping = nn.Sequential(
            nn.Linear(config.context_dim + config.noise, dim),
            nn.SiLU(),
            nn.Linear(dim, dim),
            nn.SiLU(),
        )
        self.first = nn.Linear(dim, dim)
        side = config.size // config.patch
        self.places = nn.Parameter(grid_positions(side, side, dim))
        self.blocks = nn.ModuleList(
            ModulatedTransformerBlock(
                dim, config.heads, dim, config.context_dim, config.mlp or 4 * dim
            )
            for _ in range(config.depth)
        )
        self.norm = nn.LayerNorm(dim)
        self.last = nn.Linear(dim, CHANNELS * config.patch**2)

    def draw(
        self,
        context: Features,
        noise: Tensor | None,
        way: DrawingConfig,  # noqa: ARG002
    ) -> Tensor:
        """(B, 3, S, S) drawn in one step."""
        vector_BK = with_noise(context, self.config.context_dim, noise, self.noise)
        vector_BD = self.mapping(vector_BK)
        tokens_BTD = self.first(vector_BD)[:, None] + self.places
        rows, length, _ = tokens_BTD.shape
        packing, told = Packing.dense(rows, length, tokens_BTD.device), Packing.of(context.mask)
        pairing, context_SC = Pairing.of(packing, told), told.pack(context.tokens)
        tokens_SD = packing.pack(tokens_BTD)
        for block in self.blocks:
            tokens_SD = block(tokens_SD, vector_BD, context_SC, pairing)
        columns = packing.unpack(self.last(self.norm(tokens_SD))).transpose(1, 2)
        side, patch = self.config.size, self.config.patch
        return F.fold(columns, (side, side), patch, stride=patch).tanh()

    def forward(self, context: Features, prefix: Field | None = None) -> Tensor:
        """Draws from the noise that the prefix holds, (B, noise)."""
        noise = noise_of(prefix, context, self.noise) if self.noise else None
        return self.draw(context, noise, DrawingConfig())


@dataclass(frozen=True)
class PicturePatchesConfig(Config[Decoder]):
    """A transformer that draws a picture at once, a patch a token."""

    size: int
    """Side of the picture in pixels."""
    context_dim: int
    """Width of the context."""
    patch: int = 8
    """Side of a patch in pixels."""
    dim: int = 192
    depth: int = 4
    heads: int = 6
    mlp: int | None = None
    """Hidden width of the MLPs, None for 4 * dim."""
    noise: int = 0
    """Width of the noise beside the context, as a GAN needs it; 0: what is drawn depends on the context alone."""

    def __post_init__(self) -> None:
        require(self, size=COUNT, context_dim=COUNT, patch=COUNT, dim=COUNT, depth=at_least(0))
        require(self, heads=COUNT, mlp=COUNT, noise=at_least(0))
        if self.size % self.patch:
            raise ValueError(f"size is {self.size}, expected a multiple of patch, {self.patch}")
        if self.dim % self.heads or self.dim % 4:
            raise ValueError(
                f"dim is {self.dim}, expected a multiple of 4 and of heads, {self.heads}"
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a picture."""
        return CHANNELS, self.size, self.size

    def build(self) -> PicturePatches:
        return PicturePatches(self)
