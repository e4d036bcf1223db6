"""LiT: a locked image tower and a text tower trained to match it (Zhai et al., CVPR 2022)."""

from weft.architectures.model import ModelConfig, ProjectionConfig
from weft.core.config import Config
from weft.core.interfaces import Encoder
from weft.encoders.frozen import FrozenConfig
from weft.encoders.transformer_text import TextTransformerConfig


def lit(
    *,
    image: Config[Encoder],
    image_dim: int,
    vocab_size: int,
    width: int = 384,
    depth: int = 6,
    max_length: int = 77,
    embedding: int = 384,
) -> ModelConfig:
    """`image` is a pretrained encoder of width `image_dim`; all of it is frozen (section 4, "Lu").

    Its output can be computed once and cached. The text tower is trained from scratch.
    """
    return ModelConfig(
        encoders={
            "image": FrozenConfig(image, tokens=False),
            "text": TextTransformerConfig(
                vocab_size=vocab_size,
                dim=width,
                depth=depth,
                heads=max(1, width // 64),
                max_length=max_length,
            ),
        },
        projections={
            "image": ProjectionConfig(image_dim, embedding),
            "text": ProjectionConfig(width, embedding),
        },
    )
