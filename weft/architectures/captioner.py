"""A transformer captioner: blocks over the grid of a CNN, and a decoder that attends to them.

After Cornia et al., CVPR 2020, arXiv:1912.08226, section 3, without memory and meshed connections.
"""

from weft.architectures.model import ModelConfig
from weft.core.config import Config
from weft.core.interfaces import Encoder
from weft.decoders.text import TransformerDecoderConfig
from weft.fusion.early import EarlyConfig
from weft.heads.head import HeadConfig
from weft.heads.texts import CAPTIONS, TextOutput
from weft.layers.transformer import TransformerConfig


def captioner(
    *,
    image: Config[Encoder],
    image_dim: int,
    vocab_size: int,
    dim: int = 256,
    heads: int = 8,
    encoder_depth: int = 1,
    decoder_depth: int = 2,
    max_length: int = 64,
    encoder_dropout: float = 0.1,
    decoder_dropout: float = 0.1,
    output: TextOutput | None = None,
    views: int = 1,
) -> ModelConfig:
    """`image` is an encoder with tokens of width `image_dim`; the head "caption" generates the text.

    dim: width of both transformers. The one over the picture is a fusion of a single stream. output: the stream of
    the tokens and the generation settings, by default `CAPTIONS`. views: number of a picture's views whose
    probabilities are averaged when captions are generated.
    """
    blocks = TransformerConfig(dim, encoder_depth, heads, dropout=encoder_dropout)
    return ModelConfig(
        encoders={"image": image},
        fusion=EarlyConfig({"image": image_dim}, blocks, pooling="mean"),
        heads={
            "caption": HeadConfig(
                TransformerDecoderConfig(
                    vocab_size,
                    dim,
                    dim=dim,
                    depth=decoder_depth,
                    heads=heads,
                    max_length=max_length,
                    dropout=decoder_dropout,
                ),
                output or CAPTIONS,
                context="image",
                views=views,
            )
        },
    )
