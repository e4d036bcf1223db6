"""DeViSE: pictures mapped linearly into a space of words (Frome et al., NeurIPS 2013, section 3)."""

from weft.architectures.model import ModelConfig, PooledConfig, ProjectionConfig
from weft.core.config import Config
from weft.core.interfaces import Encoder
from weft.encoders.word_vectors import WordVectorsConfig


def devise(
    *,
    image: Config[Encoder],
    image_dim: int,
    vocab_size: int,
    dim: int = 300,
    ignored_ids: tuple[int, ...] = (),
) -> ModelConfig:
    """`image` is a pretrained encoder of width `image_dim`; a text is the mean of its word vectors.

    The paper embeds a label by one word vector; the mean extends this to sentences. One linear map M projects
    pictures to the word space (eq. 1); the word vectors are not changed.
    """
    return ModelConfig(
        encoders={
            "image": image,
            "text": WordVectorsConfig(vocab_size, dim, ignored_ids=ignored_ids),
        },
        projections={
            "image": ProjectionConfig(image_dim, dim, norm=True),
            "text": PooledConfig(),
        },
    )
