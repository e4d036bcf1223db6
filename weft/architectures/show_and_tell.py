"""Show and Tell: an LSTM that generates text from a CNN's vector (Vinyals et al., CVPR 2015, section 3)."""

from weft.architectures.model import ModelConfig
from weft.core.config import Config
from weft.core.interfaces import Encoder
from weft.decoders.recurrent import RecurrentDecoderConfig
from weft.heads.head import HeadConfig
from weft.heads.texts import CAPTIONS, TextOutput


def show_and_tell(
    *,
    image: Config[Encoder],
    image_dim: int,
    vocab_size: int,
    words: int = 512,
    hidden: int = 512,
    max_length: int = 64,
    attention: bool = False,
    dropout: float = 0.0,
    output: TextOutput | None = None,
) -> ModelConfig:
    """`image` is a pretrained encoder of width `image_dim`; the head "caption" generates the text.

    words: width of the word embeddings. hidden: width of the LSTM. attention: attend to the picture's tokens before
    each word, after Show, Attend and Tell (Xu et al. 2015, arXiv:1502.03044). output: the stream of the tokens and
    the generation settings, by default `CAPTIONS`.
    """
    return ModelConfig(
        encoders={"image": image},
        heads={
            "caption": HeadConfig(
                RecurrentDecoderConfig(
                    vocab_size,
                    image_dim,
                    embedding=words,
                    hidden=hidden,
                    attention=attention,
                    max_length=max_length,
                    dropout=dropout,
                ),
                output or CAPTIONS,
                context="image",
            )
        },
    )
