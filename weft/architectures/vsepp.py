"""VSE++: a linear map of CNN features and a GRU with a common space (Faghri et al., BMVC 2018, section 3.1)."""

from typing import Literal

from weft.architectures.model import ModelConfig, PooledConfig, ProjectionConfig
from weft.core.config import Config
from weft.core.interfaces import Encoder
from weft.encoders.recurrent import RecurrentConfig


def vsepp(
    *,
    image: Config[Encoder],
    image_dim: int,
    vocab_size: int,
    words: int = 300,
    dim: int = 1024,
    dropout: float = 0.0,
    pooling: Literal["last", "mean"] = "last",
) -> ModelConfig:
    """`image` is a pretrained encoder of width `image_dim`; a text is the GRU's last state.

    words: width of the word embeddings, which are learned. dim: width of the GRU and of the shared space. pooling:
    "mean" pools the text over all states of the GRU, which learns faster on small data.
    """
    return ModelConfig(
        encoders={
            "image": image,
            "text": RecurrentConfig(
                vocab_size, embedding=words, hidden=dim, pooling=pooling, dropout=dropout
            ),
        },
        projections={
            "image": ProjectionConfig(image_dim, dim, norm=True),
            "text": PooledConfig(),
        },
    )
