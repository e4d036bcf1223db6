"""BLIP: a ViT, and BERT with cross-attention to it in every layer (Li et al., ICML 2022,
arXiv:2201.12086, section 3.1 and figure 2)."""

from weft.architectures import _bert
from weft.architectures.model import ModelConfig, ProjectionConfig
from weft.encoders.vit import ViTConfig
from weft.fusion.cross_attention import CrossAttentionConfig
from weft.modalities.processor import CLIP_MEAN, CLIP_STD


def blip(
    *,
    vocab_size: int,
    image_size: int = 384,
    patch_size: int = 16,
    width: int = 768,
    depth: int = 12,
    image_depth: int = 12,
    max_length: int = 512,
    dropout: float = 0.0,
    text: str = "text",
    answers: int = 0,
) -> ModelConfig:
    """The image-grounded text encoder: it reads the text together with the picture.

    The text stream's encoder only embeds words. All blocks of BERT are the fusion, which processes a text without a
    picture like the unimodal encoder. width: of everything, with heads of width 64. The head "matching" predicts
    whether picture and text belong together (2 logits); with `answers` there is also "answer". text: the name of the
    stream.
    """
    words = _bert.blocks(width, depth, dropout)
    return ModelConfig(
        encoders={
            text: _bert.text_encoder(vocab_size, words.replace(depth=0), max_length),
            "image": _vit(image_size, patch_size, width, image_depth),
        },
        fusion=CrossAttentionConfig({text: width, "image": width}, words, queries=text),
        heads=_bert.heads(width, answers),
    )


def blip_towers(
    *,
    vocab_size: int,
    image_size: int = 384,
    patch_size: int = 16,
    width: int = 768,
    depth: int = 12,
    image_depth: int = 12,
    max_length: int = 512,
    dropout: float = 0.0,
    embedding: int = 256,
) -> ModelConfig:
    """The two unimodal encoders for retrieval, whose class tokens are contrasted."""
    words = _bert.blocks(width, depth, dropout)
    return ModelConfig(
        encoders={
            "text": _bert.text_encoder(vocab_size, words, max_length),
            "image": _vit(image_size, patch_size, width, image_depth),
        },
        projections={
            name: ProjectionConfig(width, embedding, bias=True) for name in ("text", "image")
        },
    )


def _vit(image_size: int, patch_size: int, width: int, depth: int) -> ViTConfig:
    return ViTConfig(
        image_size=image_size,
        patch_size=patch_size,
        dim=width,
        depth=depth,
        heads=max(1, width // 64),
        norm_eps=1e-5,
        mean=CLIP_MEAN,
        std=CLIP_STD,
    )
