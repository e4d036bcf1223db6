"""A transformer over patches of pixels (DiT: Peebles & Xie 2023, arXiv:2212.09748)."""

from dataclasses import dataclass

from torch import Tensor, nn

from weft.core.config import Config
from weft.core.ranges import COUNT, require
from weft.core.records import Features
from weft.core.shapes import check_shape
from weft.decoders.velocity.base import Condition, Velocity
from weft.layers.modulated import PatchTransformer
from weft.layers.patches import patches_of


class PatchVelocity(nn.Module):
    """(B, C, H, W) noisy pixels or latents -> their velocity. Each patch is a token with a learned position.

    The patches attend to the tokens of the context; its pooled vector and the time modulate every block.
    """

    def __init__(self, config: "PatchVelocityConfig") -> None:
        super().__init__()
        self.config = config
        self.shape = config.shape
        self.context_dim = config.context_dim
        self.first = nn.Linear(config.channels * config.patch**2, config.dim)
        self.condition = Condition(config.context_dim, config.dim)
        self.patches = PatchTransformer(
            size=config.size, patch=config.patch, dim=config.dim, depth=config.depth, heads=config.heads,
            condition=config.dim, context_dim=config.context_dim, mlp=config.mlp, channels=config.channels, nothing=True,
        )  # fmt: skip

    def forward(self, values_BX: Tensor, times_B: Tensor, context: Features) -> Tensor:
        size = self.config.size
        check_shape(values_BX, "B C H W", "noisy values", C=self.config.channels, H=size, W=size)
        check_shape(context.pooled, "B D", "the context", D=self.context_dim)
        condition_BD = self.condition(times_B, context.pooled)
        tokens_BTD = self.first(patches_of(values_BX, self.config.patch))
        moved: Tensor = self.patches(tokens_BTD, condition_BD, context)
        return moved


@dataclass(frozen=True)
class PatchVelocityConfig(Config[Velocity]):
    """A transformer over patches of pixels."""

    size: int
    """Side of the values, in pixels of a picture or positions of latents."""
    context_dim: int
    """Width of the context."""
    patch: int = 8
    """Side of a patch in pixels."""
    dim: int = 192
    depth: int = 6
    heads: int = 6
    mlp: int | None = None
    """Hidden width of the MLPs, None for 4 * dim."""
    channels: int = 3
    """Channels of the values: 3 for pixels, another number for latents of a codec."""

    def __post_init__(self) -> None:
        require(self, size=COUNT, context_dim=COUNT, patch=COUNT, dim=COUNT, depth=COUNT)
        require(self, heads=COUNT, mlp=COUNT, channels=COUNT)
        if self.size % self.patch:
            raise ValueError(f"size is {self.size}, expected a multiple of patch, {self.patch}")
        if self.dim % self.heads or self.dim % 4:
            raise ValueError(
                f"dim is {self.dim}, expected a multiple of 4 and of heads, {self.heads}"
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of its values."""
        return self.channels, self.size, self.size

    def build(self) -> PatchVelocity:
        return PatchVelocity(self)
