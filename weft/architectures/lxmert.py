"""LXMERT: a language encoder, an object-relationship encoder and a cross-modality encoder (Tan & Bansal,
EMNLP 2019, arXiv:1908.07490, section 2)."""

from weft.architectures import _bert
from weft.architectures.model import ModelConfig
from weft.encoders.regions import RegionsConfig
from weft.fusion.cross_modality import CrossModalityConfig


def lxmert(
    *,
    vocab_size: int,
    feature_dim: int = 2048,
    width: int = 768,
    text_depth: int = 9,
    region_depth: int = 5,
    fusion_depth: int = 5,
    heads: int | None = None,
    max_length: int = 512,
    dropout: float = 0.1,
    text: str = "text",
    image: str = "image",
    answers: int = 0,
) -> ModelConfig:
    """Post-norm transformers over words and over regions, then a joint one.

    feature_dim: of a region's features. width: of everything. heads: by default of width 64. text, image: the names
    of the streams. The head "matching" predicts whether picture and text belong together (2 logits); with `answers`
    there is also "answer", the published head for questions.
    """
    words = _bert.blocks(width, text_depth, dropout, heads)
    return ModelConfig(
        encoders={
            text: _bert.text_encoder(vocab_size, words, max_length),
            image: RegionsConfig(
                feature_dim,
                width,
                position="box",
                norm="each",
                dropout=dropout,
                transformer=words.replace(depth=region_depth),
            ),
        },
        fusion=CrossModalityConfig(
            {text: width, image: width}, words.replace(depth=fusion_depth), maps=False
        ),
        heads=_bert.heads(width, answers),
    )
