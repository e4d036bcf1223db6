"""VisualBERT: the bare model, and that of its pretraining."""

from collections.abc import Mapping
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from weft.architectures.checkpoints._checkpoint import Checkpoint, below_parts
from weft.architectures.model import ModelConfig
from weft.architectures.visualbert import visualbert
from weft.core.errors import WeftError
from weft.encoders.convert import BERT_BLOCK, Settings, below, block_settings, blocks, layer
from weft.fusion.early import EarlyConfig
from weft.layers.transformer import TransformerConfig

MODEL_TYPE = "visual_bert"


def convert(tensors: Mapping[str, Tensor], settings: Settings, folder: Path) -> Checkpoint:
    """The model as ours. The heads of single tasks, which read single words, are left behind."""
    if settings["bypass_transformer"]:
        raise WeftError(f"{folder}: bypass_transformer is true, expected regions in every block")
    config = _config(settings)
    body = _body(below(tensors, ("", "visual_bert."), "embeddings."), settings)
    matching = _matching(tensors)
    decoders = {name: part for name, part in config.decoders.items() if matching}
    return Checkpoint(config.replace(decoders=decoders), {**body, **matching}, folder)


def _config(settings: Settings) -> ModelConfig:
    config = visualbert(
        vocab_size=settings["vocab_size"],
        feature_dim=settings["visual_embedding_dim"],
        width=settings["hidden_size"],
        max_length=settings["max_position_embeddings"],
    )
    transformer = TransformerConfig(
        norm="post",
        norm_eps=settings["layer_norm_eps"],
        dropout=settings["hidden_dropout_prob"],
        attention_dropout=settings["attention_probs_dropout_prob"],
        **block_settings(settings),
    )
    return config.replace(fusion=cast(EarlyConfig, config.fusion).replace(transformer=transformer))


def _body(tensors: Mapping[str, Tensor], settings: Settings) -> dict[str, Tensor]:
    table = {
        name: tensors[f"embeddings.{name}_embeddings.weight"]
        for name in ("word", "position", "token_type", "visual_position", "visual_token_type")
    }
    text = {"embedding.weight": table["word"], "positions": table["position"]}
    image = layer(tensors, "embeddings.visual_projection", "feature")
    # Regions are of segment 1 and all at position 0 unless words are aligned with them.
    regions = table["visual_token_type"][1] + table["visual_position"][0]
    fusion = {
        "types": torch.stack([table["token_type"][0], regions]),
        **layer(tensors, "embeddings.LayerNorm", "input_norm"),
        **blocks(tensors, BERT_BLOCK, settings["num_hidden_layers"]),
        **layer(tensors, "pooler.dense", "pooler"),
    }
    return {
        **below_parts(text, "encoders.text"),
        **below_parts(image, "encoders.image"),
        **below_parts(fusion, "fusion"),
    }


def _matching(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Whether picture and text belong together; their first logit says yes, ours the last."""
    if "cls.seq_relationship.weight" not in tensors:
        return {}
    head = layer(tensors, "cls.seq_relationship", "out")
    return below_parts({name: value.flip(0) for name, value in head.items()}, "decoders.matching")
