"""CLIP: two towers trained from scratch into one space (Radford et al., ICML 2021, section 2.4)."""

from weft.architectures.model import ModelConfig, ProjectionConfig
from weft.encoders.transformer_text import TextTransformerConfig
from weft.encoders.vit import ViTConfig


def clip(
    *,
    vocab_size: int,
    image_size: int = 224,
    patch_size: int = 16,
    width: int = 384,
    depth: int = 12,
    text_depth: int = 6,
    max_length: int = 77,
    embedding: int = 384,
) -> ModelConfig:
    """A vision transformer with class token and a causal text transformer read at its last token.

    width: of both towers, with heads of 64. embedding: E of the shared space, reached by one linear
    map without bias from each side.
    """
    heads = max(1, width // 64)
    return ModelConfig(
        encoders={
            "image": ViTConfig(
                image_size=image_size, patch_size=patch_size, dim=width, depth=depth, heads=heads
            ),
            "text": TextTransformerConfig(
                vocab_size=vocab_size,
                dim=width,
                depth=text_depth,
                heads=heads,
                max_length=max_length,
                causal=True,
                pooling="eos",
            ),
        },
        projections={name: ProjectionConfig(width, embedding) for name in ("image", "text")},
    )
