"""ViLBERT: two streams with co-attention between them (Lu et al., NeurIPS 2019, arXiv:1908.02265,
section 3.1)."""

from weft.architectures import _bert
from weft.architectures.model import ModelConfig
from weft.encoders.regions import RegionsConfig
from weft.fusion.coattention import CoAttentionConfig


def vilbert(
    *,
    vocab_size: int,
    feature_dim: int = 2048,
    text_width: int = 768,
    image_width: int = 1024,
    text_depth: int = 6,
    fusion_depth: int = 6,
    heads: int | None = None,
    max_length: int = 512,
    dropout: float = 0.1,
    text: str = "text",
    image: str = "image",
    answers: int = 0,
) -> ModelConfig:
    """The lower half of BERT for words, and embedded regions, followed by blocks of co-attention. Each has a further
    block for each stream.

    feature_dim: of a region's features. image_width: of the regions, of co-attention and of the classifiers' input,
    with heads of width 128 by default; words have heads of width 64. heads: number for both, if given. text, image:
    the names of the streams. The head "matching" predicts whether picture and text belong together (2 logits); with
    `answers` there is also "answer".
    """
    words = _bert.blocks(text_width, text_depth, dropout, heads)
    own = words.replace(depth=1)
    image_heads = heads or max(1, image_width // 128)
    # The MLPs of the regions do not expand the width.
    regions = own.replace(dim=image_width, heads=image_heads, mlp=image_width)
    return ModelConfig(
        encoders={
            text: _bert.text_encoder(vocab_size, words, max_length),
            image: RegionsConfig(
                feature_dim, image_width, position="box_area", norm="sum", dropout=dropout
            ),
        },
        fusion=CoAttentionConfig(
            {text: own, image: regions}, dim=image_width, depth=fusion_depth, heads=image_heads
        ),
        heads=_bert.heads(image_width, answers),
    )
