"""VisualBERT: the bare model, and the pretraining model."""

from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor

from weft.architectures.checkpoints._checkpoint import Checkpoint, Source, inside, language_head
from weft.architectures.model import ModelConfig
from weft.architectures.visualbert import visualbert
from weft.core.errors import WeftError
from weft.encoders.convert import block_settings
from weft.encoders.weight_names import BERT_BLOCK, Settings, below, blocks, layer
from weft.fusion.early import EarlyConfig
from weft.layers.transformer import TransformerConfig

MODEL_TYPE = "visual_bert"


def convert(tensors: Mapping[str, Tensor], settings: Settings, source: Source) -> Checkpoint:
    """Converts the model. The heads of single tasks, which read single words, are left out."""
    if settings["bypass_transformer"]:
        raise WeftError(f"{source.folder}: bypass_transformer is true, expected false")
    body = below(tensors, ("", "visual_bert."), "embeddings.")
    config, matching = _config(settings, source), _matching(tensors)
    return Checkpoint(
        config=config.replace(heads=config.heads if matching else {}),
        tensors={
            **inside(f"encoders.{source.text}", _text(body)),
            **inside("encoders.image", layer(body, "embeddings.visual_projection", "feature")),
            **inside("fusion", _fusion(body, settings["num_hidden_layers"])),
            **inside("heads.matching.decoder", matching),
        },
        folder=source.folder,
        language_head=language_head(tensors, "cls.predictions"),
    )


def _config(settings: Settings, source: Source) -> ModelConfig:
    config = visualbert(
        vocab_size=settings["vocab_size"],
        feature_dim=settings["visual_embedding_dim"],
        width=settings["hidden_size"],
        max_length=settings["max_position_embeddings"],
        text=source.text,
    )
    transformer = TransformerConfig(
        norm="post",
        norm_eps=settings["layer_norm_eps"],
        dropout=settings["hidden_dropout_prob"],
        attention_dropout=settings["attention_probs_dropout_prob"],
        **block_settings(settings),
    )
    return config.replace(fusion=cast(EarlyConfig, config.fusion).replace(transformer=transformer))


def _text(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {
        "embedding.weight": tensors["embeddings.word_embeddings.weight"],
        "positions": tensors["embeddings.position_embeddings.weight"],
    }


def _fusion(tensors: Mapping[str, Tensor], depth: int) -> dict[str, Tensor]:
    words = tensors["embeddings.token_type_embeddings.weight"][0]
    # Regions are of segment 1, all at position 0, since they are not aligned with words.
    segment = tensors["embeddings.visual_token_type_embeddings.weight"][1]
    regions = segment + tensors["embeddings.visual_position_embeddings.weight"][0]
    return {
        "types": torch.stack([words, regions]),
        **layer(tensors, "embeddings.LayerNorm", "input_norm"),
        **blocks(tensors, BERT_BLOCK, depth),
        **layer(tensors, "pooler.dense", "pooler"),
    }


def _matching(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The head for whether picture and text belong together. Its first logit means yes; in weft the last one does."""
    if "cls.seq_relationship.weight" not in tensors:
        return {}
    head = layer(tensors, "cls.seq_relationship", "out")
    return {name: value.flip(0) for name, value in head.items()}
