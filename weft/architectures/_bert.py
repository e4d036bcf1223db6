"""Shared by the descendants of BERT (Devlin et al. 2019, arXiv:1810.04805, section 3)."""

from weft.decoders.classifier import ClassifierConfig
from weft.encoders.transformer_text import TextTransformerConfig
from weft.heads.classes import MATCHING, ClassOutput
from weft.heads.head import HeadConfig
from weft.layers.transformer import TransformerConfig

EPSILON = 1e-12
"""Epsilon of BERT's norms."""


def blocks(width: int, depth: int, dropout: float, heads: int | None = None) -> TransformerConfig:
    """Post-norm blocks, by default with heads of width 64."""
    return TransformerConfig(
        width,
        depth,
        heads or max(1, width // 64),
        norm="post",
        norm_eps=EPSILON,
        dropout=dropout,
        attention_dropout=dropout,
    )


def text_encoder(vocab_size: int, own: TransformerConfig, max_length: int) -> TextTransformerConfig:
    """Embedded words with these blocks, pooled by the class token; only embeddings if depth is 0."""
    return TextTransformerConfig(
        vocab_size=vocab_size,
        dim=own.dim,
        depth=own.depth,
        heads=own.heads,
        mlp=own.mlp,
        activation=own.activation,
        max_length=max_length,
        norm=own.norm,
        pooling="cls",
        norm_eps=own.norm_eps,
        dropout=own.dropout,
        attention_dropout=own.attention_dropout,
    )


def heads(width: int, answers: int) -> dict[str, HeadConfig]:
    """ "matching": whether picture and text belong together, 2 logits. "answer", if there are answers: the classifier
    for questions of LXMERT and ViLBERT, with one hidden layer twice as wide."""
    matching = HeadConfig(ClassifierConfig(width, 2), MATCHING)
    if not answers:
        return {"matching": matching}
    answer = ClassifierConfig(width, answers, hidden=(2 * width,), norm=True)
    return {"answer": HeadConfig(answer, ClassOutput("answer")), "matching": matching}
