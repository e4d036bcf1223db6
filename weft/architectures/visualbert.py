"""VisualBERT: words and regions of a picture in one BERT (Li et al. 2019, arXiv:1908.03557, section 3)."""

from weft.architectures.model import ModelConfig
from weft.decoders.classifier import ClassifierConfig
from weft.encoders.regions import RegionsConfig
from weft.encoders.transformer_text import TextTransformerConfig
from weft.fusion.early import EarlyConfig
from weft.heads.classes import MATCHING, ClassOutput
from weft.heads.head import HeadConfig
from weft.layers.transformer import TransformerConfig


def visualbert(
    *,
    vocab_size: int,
    feature_dim: int = 2048,
    width: int = 768,
    depth: int = 12,
    heads: int | None = None,
    max_length: int = 128,
    dropout: float = 0.1,
    text: str = "text",
    image: str = "image",
    answers: int = 0,
) -> ModelConfig:
    """Embedded words and projected region features in a post-norm transformer, with a pooler.

    feature_dim: of a region's features; the position of its box is not read. width: of everything. heads: by default
    of width 64. text, image: the names of the streams. The head "matching" predicts whether picture and text belong
    together (2 logits, section 3.3); with `answers` there is also "answer".
    """
    heads = heads or max(1, width // 64)
    return ModelConfig(
        encoders={
            text: TextTransformerConfig(
                vocab_size=vocab_size,
                dim=width,
                depth=0,
                heads=heads,
                max_length=max_length,
                last_norm=False,
            ),
            image: RegionsConfig(feature_dim, width, position="none", norm="none"),
        },
        fusion=EarlyConfig(
            widths={text: width, image: width},
            transformer=TransformerConfig(
                width,
                depth,
                heads,
                norm="post",
                norm_eps=1e-12,
                dropout=dropout,
                attention_dropout=dropout,
            ),
            maps=False,
            input_norm=True,
            pooling="first",
            pooler=True,
        ),
        heads={
            **(
                {"answer": HeadConfig(ClassifierConfig(width, answers), ClassOutput("answer"))}
                if answers
                else {}
            ),
            "matching": HeadConfig(ClassifierConfig(width, 2), MATCHING),
        },
    )
