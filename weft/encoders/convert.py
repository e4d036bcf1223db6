"""Converts towers of Hugging Face checkpoints to weft's encoders: their config, and their tensors under new names.

weft's modules compute only real tokens and can be divided into a frozen and a trainable part.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from weft.core.errors import WeftError
from weft.encoders.renaming import read, unread
from weft.encoders.transformer_text import TextTransformerConfig
from weft.encoders.vit import ViTConfig
from weft.encoders.weight_names import (
    BERT_TYPES,
    Settings,
    below,
    is_siglip,
    tower_rules,
)
from weft.layers.transformer import Activation

ACTIVATIONS: dict[str, Activation] = {
    "gelu": "gelu",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_new": "gelu_tanh",
    "quick_gelu": "quick_gelu",
    "relu": "relu",
}
_PREFIXES = {
    **dict.fromkeys(BERT_TYPES, ("", "bert.", "roberta.")),
    "vit": ("", "vit."),
    "clip_text_model": ("", "text_model."),
    "clip_vision_model": ("", "vision_model."),
    "siglip_text_model": ("", "text_model."),
    "siglip2_text_model": ("", "text_model."),
    "siglip_vision_model": ("", "vision_model."),
}
"""Possible prefixes of a tower's weights, in a file of its own or of a whole model."""


def convertible(settings: Settings) -> bool:
    """Whether a tower with these settings can become a weft module with the same outputs."""
    return (
        settings["model_type"] in _PREFIXES
        and settings["hidden_act"] in ACTIVATIONS
        # only some types have these settings
        and settings.get("qkv_bias", True)
        and settings.get("vision_use_head", True)
        and settings.get("projection_size", settings["hidden_size"]) == settings["hidden_size"]
        and settings.get("position_embedding_type", "absolute") == "absolute"
        and not settings.get("is_decoder", False)
    )


def text_config(settings: Settings) -> TextTransformerConfig:
    """Returns weft's config of a BERT, CLIP or SigLIP text tower.

    Pooling is the mean, CLIP's end of text, or SigLIP's last token through its head.
    """
    common = block_settings(settings)
    if settings["model_type"] in BERT_TYPES:
        # RoBERTa counts positions from padding_idx + 1 on; earlier rows are never used.
        unused = 0 if settings["model_type"] == "bert" else settings["pad_token_id"] + 1
        return TextTransformerConfig(
            vocab_size=settings["vocab_size"],
            max_length=settings["max_position_embeddings"] - unused,
            norm="post",
            norm_eps=settings["layer_norm_eps"],
            dropout=settings["hidden_dropout_prob"],
            attention_dropout=settings["attention_probs_dropout_prob"],
            **common,
        )
    if is_siglip(settings):
        return TextTransformerConfig(
            vocab_size=settings["vocab_size"],
            max_length=settings["max_position_embeddings"],
            norm="pre",
            pooling="eos",
            pooler=True,
            pooler_activation="none",
            filled_with=settings["pad_token_id"],
            norm_eps=settings["layer_norm_eps"],
            attention_dropout=settings["attention_dropout"],
            **common,
        )
    end = settings["eos_token_id"]
    # Old CLIP configs say 2, but their texts end with the highest id.
    end = settings["vocab_size"] - 1 if end == 2 else end
    return TextTransformerConfig(
        vocab_size=settings["vocab_size"],
        max_length=settings["max_position_embeddings"],
        norm="pre",
        causal=True,
        pooling="eos",
        eos_id=end,
        norm_eps=settings["layer_norm_eps"],
        attention_dropout=settings["attention_dropout"],
        **common,
    )


def vision_config(settings: Settings) -> ViTConfig:
    """Returns weft's config of a ViT, CLIP or SigLIP vision tower.

    Pooling is the class token, or SigLIP's attention over the patches.
    """
    clip, siglip = settings["model_type"] == "clip_vision_model", is_siglip(settings)
    return ViTConfig(
        image_size=settings["image_size"],
        patch_size=settings["patch_size"],
        drop_partial_patches=settings["image_size"] % settings["patch_size"] > 0,
        pooling="attention" if siglip else "class",
        class_token=not siglip,
        input_norm=clip,
        patch_bias=not clip,
        norm_eps=settings["layer_norm_eps"],
        dropout=0.0 if clip or siglip else settings["hidden_dropout_prob"],
        **block_settings(settings),
    )


def own_config(settings: Settings) -> TextTransformerConfig | ViTConfig:
    """Returns weft's config of a tower with these `convertible` settings."""
    return text_config(settings) if "vocab_size" in settings else vision_config(settings)


def block_settings(settings: Settings) -> dict[str, Any]:
    """Returns the sizes of the blocks under weft's setting names."""
    return {
        "dim": settings["hidden_size"],
        "depth": settings["num_hidden_layers"],
        "heads": settings["num_attention_heads"],
        "mlp": settings["intermediate_size"],
        "activation": ACTIVATIONS[settings["hidden_act"]],
    }


def convert(tensors: Mapping[str, Tensor], settings: Settings, where: str) -> dict[str, Tensor]:
    """Returns the tensors of a tower under weft's names. Heads and BERT's pooler are left out.

    Raises WeftError with `where` and the name of a missing tensor, or of one that weft does not read.
    """
    kind = settings["model_type"]
    rules, found = tower_rules(settings), below(tensors, _PREFIXES[kind], "embeddings.")
    extra = [name for name in unread(rules, found) if name.startswith(("embeddings.", "encoder."))]
    if extra:
        raise WeftError(
            f"{where}: has {len(extra)} weights that a '{kind}' tower of weft lacks: {extra[0]}"
        )
    try:
        return read(rules, found)
    except KeyError as error:
        raise WeftError(f"{where}: has no tensor {error}, which a '{kind}' tower needs") from None
