"""Vision transformer (Dosovitskiy et al. 2021, arXiv:2010.11929)."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.interfaces import Encoder
from weft.core.ranges import COUNT, FINITE, POSITIVE, SHARE_BELOW_1, require
from weft.core.records import Features, Field
from weft.encoders.weights import WithWeights
from weft.layers.attention_pooling import AttentionPool
from weft.layers.convolution import Normalize
from weft.layers.packing import Packing
from weft.layers.patches import Interpolation, grid_of, patches_of, resized
from weft.layers.pooling import pool
from weft.layers.transformer import Activation, TransformerConfig


class ViT(nn.Module):
    """uint8 images -> tokens: the class token first if there is one, then patches row by row.

    pooled: the class token, the mean of the patches, or an attention over them, after the last norm, like all tokens.
    With depth 0 and without that norm it only embeds patches, for a fusion to process. For images of another size
    than `image_size`, position embeddings are interpolated.
    """

    def __init__(self, config: "ViTConfig") -> None:
        super().__init__()
        self.config = config
        self.dim = config.dim
        self.depth = config.depth
        self.image_size: int | None = config.image_size
        self.normalize = Normalize(config.mean, config.std)
        self.patch = nn.Linear(3 * config.patch_size**2, config.dim, bias=config.patch_bias)
        scale = config.dim**-0.5
        if config.class_token:
            self.class_token = nn.Parameter(scale * torch.randn(config.dim))
        patches = (config.image_size // config.patch_size) ** 2
        self.positions = nn.Parameter(
            scale * torch.randn(patches + int(config.class_token), config.dim)
        )
        self.input_norm = (
            nn.LayerNorm(config.dim, eps=config.norm_eps) if config.input_norm else nn.Identity()
        )
        self.transformer = config.transformer().build()
        self.norm = (
            nn.LayerNorm(config.dim, eps=config.norm_eps) if config.last_norm else nn.Identity()
        )
        if config.pooling == "attention":
            self.attention_pool = AttentionPool(config.transformer())

    def forward(self, field: Field) -> Features:
        """Images (B, 3, H, W) uint8, H and W multiples of the patch size."""
        tokens_BTD = self.drop_patches(self.embed(field))
        packing = Packing.dense(tokens_BTD.shape[0], tokens_BTD.shape[1], tokens_BTD.device)
        tokens_SD = self.transformer(packing.pack(tokens_BTD), packing)
        return self.finish(tokens_SD, packing)

    def lower(self, field: Field, layers: int) -> Features:
        """Returns tokens after the embedding and the first `layers` blocks, the input of `upper`."""
        tokens_BTD = self.embed(field)
        packing = Packing.dense(tokens_BTD.shape[0], tokens_BTD.shape[1], tokens_BTD.device)
        tokens_SD = self.transformer(packing.pack(tokens_BTD), packing, slice(layers))
        tokens_BTD = packing.unpack(tokens_SD)
        # Pooling happens after the top layers; this vector only has the right shape.
        return Features(tokens_BTD, packing.mask, pool(tokens_BTD, packing.mask, "mean"))

    def upper(self, features: Features, layers: int) -> Features:
        """The blocks after the first `layers`, last norm and pooling."""
        tokens_BTD = self.drop_patches(features.tokens)
        packing = Packing.of(features.mask[:, : tokens_BTD.shape[1]])
        tokens_SD = self.transformer(packing.pack(tokens_BTD), packing, slice(layers, None))
        return self.finish(tokens_SD, packing)

    def lower_parts(self, layers: int) -> list[nn.Module | nn.Parameter]:
        """Returns the modules that `lower` uses."""
        parts = [self.normalize, self.patch, self.positions, self.input_norm]
        if self.config.class_token:
            parts.append(self.class_token)
        return [*parts, *self.transformer.blocks[:layers]]

    def finish(self, tokens_SD: Tensor, packing: Packing) -> Features:
        """Last norm and pooling."""
        tokens_BTD = packing.unpack(self.norm(tokens_SD))
        return Features(tokens_BTD, packing.mask, self.pool(tokens_BTD, packing.mask))

    def pool(self, tokens_BTD: Tensor, mask_BT: Tensor) -> Tensor:
        if self.config.pooling == "class":
            return tokens_BTD[:, 0]
        if self.config.pooling == "attention":
            pooled: Tensor = self.attention_pool(tokens_BTD, mask_BT)
            return pooled
        patches = slice(int(self.config.class_token), None)
        return pool(tokens_BTD[:, patches], mask_BT[:, patches], "mean")

    def embed(self, field: Field) -> Tensor:
        """(B, T, D) embedded patches and class token, before the blocks."""
        size = self.config.patch_size
        values = field.values
        if self.config.drop_partial_patches:
            height, width = (side // size * size for side in values.shape[-2:])
            values = values[..., :height, :width]
        rows, columns = grid_of(values, size)
        pixels = self.normalize(values, self.patch.weight.dtype)
        tokens_BTD: Tensor = self.patch(patches_of(pixels, size))
        if self.config.class_token:
            class_B1D = self.class_token.to(tokens_BTD.dtype).expand(tokens_BTD.shape[0], 1, -1)
            tokens_BTD = torch.cat([class_B1D, tokens_BTD], dim=1)
        embedded: Tensor = self.input_norm(tokens_BTD + self.grid_positions(rows, columns))
        return embedded

    def drop_patches(self, tokens_BTD: Tensor) -> Tensor:
        """In training, keeps a random subset of each image's patches, in order, with their positions."""
        if not self.training or not self.config.drop_patches:
            return tokens_BTD
        special = int(self.config.class_token)
        rows, patches = tokens_BTD.shape[0], tokens_BTD.shape[1] - special
        kept = max(1, round(patches * (1 - self.config.drop_patches)))
        order_BT = torch.rand(rows, patches, device=tokens_BTD.device).argsort(dim=1)
        places_BT = special + order_BT[:, :kept].sort(dim=1).values
        patches_BTD = tokens_BTD.gather(1, places_BT[:, :, None].expand(-1, -1, self.dim))
        return torch.cat([tokens_BTD[:, :special], patches_BTD], dim=1)

    def grid_positions(self, rows: int, columns: int) -> Tensor:
        """(T, D) position embeddings for a grid, interpolated if it is not the trained one.

        Section 3.2 of the paper: 2-D interpolation by position in the image. Bilinear: the outermost patches keep
        their positions (ViLT).
        """
        side = self.config.image_size // self.config.patch_size
        special = int(self.config.class_token)
        grid_TD = resized(
            self.positions[special:], side, (rows, columns), self.config.interpolation
        )
        return torch.cat([self.positions[:special], grid_TD])


@dataclass(frozen=True)
class ViTConfig(WithWeights, Config[Encoder]):
    """Vision transformer, pre-norm.

    image_size: side in pixels for which positions are learned. pooling: "class" token, "mean" of
    the patches, or "attention" of one learned query over all tokens, as SigLIP has. input_norm: a norm before the first block, as CLIP has. mean, std: of pixels in
    [0, 1]. last_norm: a norm after the last block. weights: safetensors file with this class's keys, or None for random ones.
    """

    image_size: int = 224
    patch_size: int = 16
    dim: int = 384
    depth: int = 12
    heads: int = 6
    mlp: int | None = None
    pooling: Literal["class", "mean", "attention"] = "class"
    class_token: bool = True
    input_norm: bool = False
    last_norm: bool = True
    patch_bias: bool = True
    activation: Activation = "gelu"
    norm_eps: float = 1e-6
    dropout: float = 0.0
    attention_dropout: float = 0.0
    drop_path: float = 0.0
    interpolation: Interpolation = "bicubic"
    """Interpolation of the position embeddings, for images of another size."""
    drop_partial_patches: bool = False
    """If true, pixels at the right and bottom that form no whole patch are dropped (SigLIP with 384 pixels and
    patches of 14). If false, such images are refused."""
    drop_patches: float = 0.0
    """Share of the patches that are dropped at random in training (FLIP, Li et al. 2023, arXiv:2212.00794, section
    3). It saves that share of the work, but the gradient covers only the kept patches. Evaluation uses all."""
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[float, float, float] = (0.5, 0.5, 0.5)
    weights: str | None = None

    def __post_init__(self) -> None:
        require(self, image_size=COUNT, patch_size=COUNT, mean=FINITE, std=POSITIVE)
        require(self, drop_patches=SHARE_BELOW_1)
        if self.image_size % self.patch_size and not self.drop_partial_patches:
            raise ValueError(
                f"image_size is {self.image_size}, expected a multiple of patch_size, {self.patch_size}"
            )
        if self.pooling == "class" and not self.class_token:
            raise ValueError("pooling is 'class' without a class token, expected 'mean'")
        if self.pooling == "class":
            # Without a layer the class token has seen no patch: it is the same for every image.
            require(self, depth=COUNT)
        self.transformer()

    def transformer(self) -> TransformerConfig:
        """The stack of blocks."""
        return TransformerConfig.of(self)

    def build(self) -> ViT:
        return self.filled(ViT(self))
