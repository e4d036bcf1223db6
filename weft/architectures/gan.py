"""A conditional GAN: generates pictures from texts, with a critic that scores a picture and its text (Reed et al., ICML 2016,
section 4).

The objectives `Critic` and `Generator` train it, as two players.
"""

from weft.architectures.model import ModelConfig
from weft.core.config import Config
from weft.core.interfaces import Decoder, Encoder
from weft.decoders.projection_critic import ProjectionCriticConfig
from weft.encoders.picture_critic import PictureCriticConfig
from weft.heads.head import HeadConfig
from weft.heads.numbers import NumberOutput
from weft.heads.pictures import PictureOutput


def gan(
    *,
    text: Config[Encoder],
    text_dim: int,
    generator: Config[Decoder],
    critic: PictureCriticConfig,
) -> ModelConfig:
    """The head "picture" generates from the text's vector of width `text_dim` and from noise.

    critic: encodes pictures; the head "critic" scores its vector, and with it that of the text, as a projection
    discriminator.
    """
    score = ProjectionCriticConfig(critic.dim, condition=text_dim)
    return ModelConfig(
        encoders={"text": text, "image": critic},
        heads={
            "picture": HeadConfig(generator, PictureOutput(), "text"),
            "critic": HeadConfig(score, NumberOutput(), "image"),
        },
    )
