"""ALBEF: align two towers, then let words attend to the picture (Li et al., NeurIPS 2021,
arXiv:2107.07651, section 3.1)."""

from weft.architectures import _bert
from weft.architectures.model import ModelConfig, ProjectionConfig
from weft.encoders.vit import ViTConfig
from weft.fusion.cross_attention import CrossAttentionConfig


def albef(
    *,
    vocab_size: int,
    image_size: int = 256,
    patch_size: int = 16,
    width: int = 768,
    image_depth: int = 12,
    text_depth: int = 6,
    fusion_depth: int = 6,
    heads: int | None = None,
    max_length: int = 512,
    dropout: float = 0.1,
    embedding: int = 256,
    text: str = "text",
    answers: int = 0,
) -> ModelConfig:
    """A ViT; the lower half of BERT as text encoder; its upper half with cross-attention as fusion.

    width: of everything. heads: by default of width 64. embedding: E of the space in which the class tokens of the
    two towers are contrasted (section 3.2). The head "matching" predicts whether picture and text belong together (2
    logits); with `answers` there is also "answer". text: the name of the stream.
    """
    words = _bert.blocks(width, text_depth, dropout, heads)
    return ModelConfig(
        encoders={
            text: _bert.text_encoder(vocab_size, words, max_length),
            "image": ViTConfig(image_size, patch_size, width, image_depth, words.heads),
        },
        projections={
            name: ProjectionConfig(width, embedding, bias=True) for name in (text, "image")
        },
        fusion=CrossAttentionConfig(
            {text: width, "image": width}, words.replace(depth=fusion_depth), queries=text
        ),
        heads=_bert.heads(width, answers),
    )
