"""SigLIP: CLIP's towers, mean-pooled, for the sigmoid loss (Zhai et al., ICCV 2023, section 3)."""

from weft.architectures.model import ModelConfig, ProjectionConfig
from weft.encoders.transformer_text import TextTransformerConfig
from weft.encoders.vit import ViTConfig


def siglip(
    *,
    vocab_size: int,
    image_size: int = 224,
    patch_size: int = 16,
    width: int = 384,
    depth: int = 12,
    text_depth: int = 12,
    max_length: int = 64,
    embedding: int = 384,
) -> ModelConfig:
    """Both towers attend in both directions and pool the mean of their tokens.

    The paper pools by an attention head; the mean has no parameters and works better on small data.
    """
    heads = max(1, width // 64)
    return ModelConfig(
        encoders={
            "image": ViTConfig(
                image_size=image_size,
                patch_size=patch_size,
                dim=width,
                depth=depth,
                heads=heads,
                pooling="mean",
                class_token=False,
            ),
            "text": TextTransformerConfig(
                vocab_size=vocab_size,
                dim=width,
                depth=text_depth,
                heads=heads,
                max_length=max_length,
            ),
        },
        projections={name: ProjectionConfig(width, embedding) for name in ("image", "text")},
    )
