"""ViLT: words and patches in one transformer, without a tower of their own (Kim et al., ICML 2021,
arXiv:2102.03334, section 3.1)."""

from weft.architectures.model import ModelConfig
from weft.decoders.classifier import ClassifierConfig
from weft.encoders.transformer_text import TextTransformerConfig
from weft.encoders.vit import ViTConfig
from weft.fusion.early import EarlyConfig
from weft.heads.classes import MATCHING, ClassOutput
from weft.heads.head import HeadConfig
from weft.layers.transformer import TransformerConfig


def vilt(
    *,
    vocab_size: int,
    image_size: int = 384,
    patch_size: int = 32,
    width: int = 768,
    depth: int = 12,
    heads: int | None = None,
    max_length: int = 40,
    text: str = "text",
    answers: int = 0,
) -> ModelConfig:
    """Embedded words (as in BERT) and linear patches in a pre-norm vision transformer, with a pooler.

    width: of everything. heads: by default of width 64. text: the name of the text stream. The head "matching"
    predicts whether picture and text belong together (2 logits, section 3.2); with `answers` there is also "answer",
    the published head for VQA with this many classes (section 4.2).
    """
    heads = heads or max(1, width // 64)
    answer = ClassifierConfig(width, max(1, answers), hidden=(2 * width,), hidden_norm=True)
    return ModelConfig(
        encoders={
            text: TextTransformerConfig(
                vocab_size=vocab_size,
                dim=width,
                depth=0,
                heads=heads,
                max_length=max_length,
                norm="post",  # applies a norm to the embeddings
                norm_eps=1e-12,
            ),
            "image": ViTConfig(
                image_size=image_size,
                patch_size=patch_size,
                dim=width,
                depth=0,
                heads=heads,
                pooling="mean",
                last_norm=False,
                interpolation="bilinear",
            ),
        },
        fusion=EarlyConfig(
            widths={text: width, "image": width},
            transformer=TransformerConfig(width, depth, heads, norm="pre", norm_eps=1e-12),
            maps=False,
            pooling="first",
            pooler=True,
        ),
        heads={
            **({"answer": HeadConfig(answer, ClassOutput("answer"))} if answers else {}),
            "matching": HeadConfig(ClassifierConfig(width, 2), MATCHING),
        },
    )
