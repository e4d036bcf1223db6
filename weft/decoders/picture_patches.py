"""A transformer that generates a picture in one step, one token for each patch, from a context's tokens and vector."""

from dataclasses import dataclass

from torch import Tensor, nn

from weft.core.config import Config
from weft.core.interfaces import Decoder
from weft.core.ranges import COUNT, at_least, require
from weft.core.records import Features
from weft.decoders.drawing import OneStep
from weft.layers.modulated import PatchTransformer

CHANNELS = 3


class PicturePatches(OneStep):
    """The context, with noise concatenated to its pooled vector, -> pixels (B, 3, S, S) in [-1, 1].

    Each patch starts as its learned position embedding, attends to the others and to the tokens of the context, and
    is modulated by the vector.
    """

    def __init__(self, config: "PicturePatchesConfig") -> None:
        super().__init__(config.context_dim, config.noise, config.shape)
        self.config = config
        width, dim = config.context_dim + config.noise, config.dim
        self.mapping = nn.Sequential(
            nn.Linear(width, dim), nn.SiLU(), nn.Linear(dim, dim), nn.SiLU()
        )
        self.first = nn.Linear(dim, dim)
        self.patches = PatchTransformer(
            size=config.size, patch=config.patch, dim=dim, depth=config.depth, heads=config.heads,
            condition=dim, context_dim=config.context_dim, mlp=config.mlp, channels=CHANNELS,
        )  # fmt: skip

    def made(self, vector_BK: Tensor, context: Features) -> Tensor:
        """(B, 3, S, S) from the vector and the tokens of the context."""
        vector_BD = self.mapping(vector_BK)
        pixels: Tensor = self.patches(self.first(vector_BD)[:, None], vector_BD, context)
        return pixels.tanh()


@dataclass(frozen=True)
class PicturePatchesConfig(Config[Decoder]):
    """A transformer that generates a picture in one step, one token for each patch."""

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
    """Width of the noise, which a GAN needs. 0: the result depends on the context alone."""

    def __post_init__(self) -> None:
        require(self, size=COUNT, context_dim=COUNT, patch=COUNT, dim=COUNT, depth=COUNT)
        require(self, heads=COUNT, mlp=COUNT, noise=at_least(0))
        if self.size % self.patch:
            raise ValueError(f"size is {self.size}, expected a multiple of patch, {self.patch}")
        if self.dim % self.heads or self.dim % 4:
            raise ValueError(
                f"dim is {self.dim}, expected a multiple of 4 and of heads, {self.heads}"
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a picture."""
        return CHANNELS, self.size, self.size

    def build(self) -> PicturePatches:
        return PicturePatches(self)
