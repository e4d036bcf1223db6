"""Towers of Hugging Face checkpoints as our own encoders: their config and tensors, renamed.

Ours compute only real tokens and can be cut into a frozen and a trainable part. The names are those
of the files that `save_pretrained` writes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from weft.core.errors import WeftError
from weft.encoders.transformer_text import TextTransformerConfig
from weft.encoders.vit import ViTConfig
from weft.layers.transformer import Activation

ACTIVATIONS: dict[str, Activation] = {
    "gelu": "gelu",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_new": "gelu_tanh",
    "quick_gelu": "quick_gelu",
    "relu": "relu",
}
BERT_TYPES = ("bert", "roberta", "xlm-roberta", "camembert")
TOWER_TYPES = (*BERT_TYPES, "vit", "clip_text_model", "clip_vision_model")

Settings = Mapping[str, Any]  # config.json of a tower, defaults filled in


@dataclass(frozen=True)
class BlockNames:
    """Where a checkpoint keeps the parts of one block, below the name of the block."""

    blocks: str
    query_key_value: tuple[str, ...]
    out: str
    norm1: str
    norm2: str
    fc1: str
    fc2: str


BERT_BLOCK = BlockNames(
    blocks="encoder.layer",
    query_key_value=("attention.self.query", "attention.self.key", "attention.self.value"),
    out="attention.output.dense",
    norm1="attention.output.LayerNorm",
    norm2="output.LayerNorm",
    fc1="intermediate.dense",
    fc2="output.dense",
)
VIT_BLOCK = BlockNames(
    blocks="encoder.layer",
    query_key_value=(
        "attention.attention.query",
        "attention.attention.key",
        "attention.attention.value",
    ),
    out="attention.output.dense",
    norm1="layernorm_before",
    norm2="layernorm_after",
    fc1="intermediate.dense",
    fc2="output.dense",
)
CLIP_BLOCK = BlockNames(
    blocks="encoder.layers",
    query_key_value=("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    out="self_attn.out_proj",
    norm1="layer_norm1",
    norm2="layer_norm2",
    fc1="mlp.fc1",
    fc2="mlp.fc2",
)


def convertible(settings: Settings) -> bool:
    """Whether a tower of these settings can become one of ours with the same outputs."""
    return (
        settings["model_type"] in TOWER_TYPES
        and settings["hidden_act"] in ACTIVATIONS
        # These three are in some types' settings only.
        and settings.get("qkv_bias", True)
        and settings.get("position_embedding_type", "absolute") == "absolute"
        and not settings.get("is_decoder", False)
    )


def text_config(settings: Settings) -> TextTransformerConfig:
    """Our config of a BERT-like or CLIP text tower; pooling is the mean, or CLIP's end of text."""
    common = block_settings(settings)
    if settings["model_type"] in BERT_TYPES:
        # RoBERTa counts positions from padding_idx + 1 on: the rows before are never used.
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
    end = settings["eos_token_id"]
    # Old CLIP configs say 2 where they mean the highest id, with which their texts end.
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
    """Our config of a ViT or CLIP vision tower; pooling is the class token."""
    clip = settings["model_type"] == "clip_vision_model"
    return ViTConfig(
        image_size=settings["image_size"],
        patch_size=settings["patch_size"],
        input_norm=clip,
        patch_bias=not clip,
        norm_eps=settings["layer_norm_eps"],
        dropout=0.0 if clip else settings["hidden_dropout_prob"],
        **block_settings(settings),
    )


def block_settings(settings: Settings) -> dict[str, Any]:
    """The shape of the blocks as our configs call it."""
    return {
        "dim": settings["hidden_size"],
        "depth": settings["num_hidden_layers"],
        "heads": settings["num_attention_heads"],
        "mlp": settings["intermediate_size"],
        "activation": ACTIVATIONS[settings["hidden_act"]],
    }


def convert(tensors: Mapping[str, Tensor], settings: Settings, where: str) -> dict[str, Tensor]:
    """The tensors of a tower under our names. Heads and a pooler are left behind.

    Raises WeftError that names `where` and the tensor which is not there.
    """
    kind = settings["model_type"]
    try:
        if kind in BERT_TYPES:
            return _bert(below(tensors, ("", "bert.", "roberta."), "embeddings."), settings)
        if kind == "vit":
            return _vit(below(tensors, ("", "vit."), "embeddings."), settings)
        if kind == "clip_text_model":
            return _clip_text(below(tensors, ("", "text_model."), "embeddings."), settings)
        return _clip_vision(below(tensors, ("", "vision_model."), "embeddings."), settings)
    except KeyError as error:
        raise WeftError(f"{where}: has no tensor {error}, which a '{kind}' tower needs") from None


def below(tensors: Mapping[str, Tensor], prefixes: Sequence[str], first: str) -> dict[str, Tensor]:
    """The tensors below whichever of `prefixes` the file puts before the name `first`."""
    for prefix in prefixes:
        if any(name.startswith(prefix + first) for name in tensors):
            return {
                name.removeprefix(prefix): tensor
                for name, tensor in tensors.items()
                if name.startswith(prefix)
            }
    return dict(tensors)


def _bert(tensors: Mapping[str, Tensor], settings: Settings) -> dict[str, Tensor]:
    positions = tensors["embeddings.position_embeddings.weight"]
    if settings["model_type"] != "bert":
        positions = positions[settings["pad_token_id"] + 1 :]
    # A Field is one segment: token type 0 is the same at every position and joins it.
    segment = tensors["embeddings.token_type_embeddings.weight"][0]
    return {
        "embedding.weight": tensors["embeddings.word_embeddings.weight"],
        "positions": positions + segment,
        **layer(tensors, "embeddings.LayerNorm", "input_norm"),
        **blocks(tensors, BERT_BLOCK, settings["num_hidden_layers"]),
    }


def _vit(tensors: Mapping[str, Tensor], settings: Settings) -> dict[str, Tensor]:
    return {
        "patch.weight": tensors["embeddings.patch_embeddings.projection.weight"].flatten(1),
        "patch.bias": tensors["embeddings.patch_embeddings.projection.bias"],
        "class_token": tensors["embeddings.cls_token"].flatten(),
        "positions": tensors["embeddings.position_embeddings"][0],
        **layer(tensors, "layernorm", "norm"),
        **blocks(tensors, VIT_BLOCK, settings["num_hidden_layers"]),
    }


def _clip_text(tensors: Mapping[str, Tensor], settings: Settings) -> dict[str, Tensor]:
    return {
        "embedding.weight": tensors["embeddings.token_embedding.weight"],
        "positions": tensors["embeddings.position_embedding.weight"],
        **layer(tensors, "final_layer_norm", "norm"),
        **blocks(tensors, CLIP_BLOCK, settings["num_hidden_layers"]),
    }


def _clip_vision(tensors: Mapping[str, Tensor], settings: Settings) -> dict[str, Tensor]:
    return {
        "patch.weight": tensors["embeddings.patch_embedding.weight"].flatten(1),
        "class_token": tensors["embeddings.class_embedding"],
        "positions": tensors["embeddings.position_embedding.weight"],
        **layer(tensors, "pre_layrnorm", "input_norm"),
        **layer(tensors, "post_layernorm", "norm"),
        **blocks(tensors, CLIP_BLOCK, settings["num_hidden_layers"]),
    }


def blocks(
    tensors: Mapping[str, Tensor], names: BlockNames, depth: int, ours: str = "transformer.blocks"
) -> dict[str, Tensor]:
    """A stack of `depth` blocks under the names of `weft.layers.transformer`, below `ours`."""
    mapped: dict[str, Tensor] = {}
    for number in range(depth):
        mapped |= block(tensors, names, f"{names.blocks}.{number}", f"{ours}.{number}")
    return mapped


def block(
    tensors: Mapping[str, Tensor], names: BlockNames, theirs: str, ours: str
) -> dict[str, Tensor]:
    """One block."""
    return {
        **joined_layers(tensors, theirs, names.query_key_value, f"{ours}.attention.qkv"),
        **layer(tensors, f"{theirs}.{names.out}", f"{ours}.attention.out"),
        **layer(tensors, f"{theirs}.{names.norm1}", f"{ours}.norm1"),
        **layer(tensors, f"{theirs}.{names.norm2}", f"{ours}.norm2"),
        **layer(tensors, f"{theirs}.{names.fc1}", f"{ours}.fc1"),
        **layer(tensors, f"{theirs}.{names.fc2}", f"{ours}.fc2"),
    }


def joined_layers(
    tensors: Mapping[str, Tensor], theirs: str, names: Sequence[str], ours: str
) -> dict[str, Tensor]:
    """Several linear maps of the same input as one."""
    return {
        f"{ours}.{part}": torch.cat([tensors[f"{theirs}.{name}.{part}"] for name in names])
        for part in ("weight", "bias")
    }


def layer(tensors: Mapping[str, Tensor], theirs: str, ours: str) -> dict[str, Tensor]:
    """Weight and bias of a linear map or a norm."""
    return {f"{ours}.{part}": tensors[f"{theirs}.{part}"] for part in ("weight", "bias")}
