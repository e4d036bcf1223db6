"""Names of a tower's weights in Hugging Face files, as rules for both directions.

The names are those of files written by `save_pretrained`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from weft.encoders.renaming import (
    Rule,
    Rules,
    Tensors,
    inside,
    numbered,
    read,
    regrouped,
    same,
    shaped,
)
from weft.encoders.renaming import layer as layer_rules

BERT_TYPES = ("bert", "roberta", "xlm-roberta", "camembert")
SIGLIP_TYPES = ("siglip_text_model", "siglip2_text_model", "siglip_vision_model")
Settings = Mapping[str, Any]  # config.json of a tower, defaults filled in


@dataclass(frozen=True)
class BlockNames:
    """Names of the parts of one block in a checkpoint, below the name of the block."""

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


def is_siglip(settings: Settings) -> bool:
    """Whether these are the settings of a SigLIP or SigLIP 2 tower."""
    return settings["model_type"] in SIGLIP_TYPES


def below(tensors: Mapping[str, Tensor], prefixes: Sequence[str], first: str) -> dict[str, Tensor]:
    """Returns the tensors below the one of `prefixes` that the file puts before the name `first`."""
    for prefix in prefixes:
        if any(name.startswith(prefix + first) for name in tensors):
            return {
                name.removeprefix(prefix): tensor
                for name, tensor in tensors.items()
                if name.startswith(prefix)
            }
    return dict(tensors)


def tower_rules(settings: Settings) -> Rules:
    """Returns the rules for a tower with these settings, including the pooler of SigLIP's towers."""
    kind = settings["model_type"]
    if kind in BERT_TYPES:
        return _bert(settings)
    if kind == "vit":
        return _vit(settings)
    return _clip_text(settings) if "vocab_size" in settings else _clip_vision(settings)


def _bert(settings: Settings) -> Rules:
    # RoBERTa counts positions from padding_idx + 1 on; earlier rows are never used.
    unused = 0 if settings["model_type"] == "bert" else settings["pad_token_id"] + 1
    types = settings["type_vocab_size"]

    def positions(values: Tensors) -> Tensors:
        # A Field is one segment, so token type 0 is added at every position and is merged into it.
        return [values[0][unused:] + values[1][0]]

    def positions_and_types(values: Tensors) -> Tensors:
        width = values[0].shape[1]
        return [F.pad(values[0], (0, 0, unused, 0)), values[0].new_zeros(types, width)]

    return [
        same("embedding.weight", "embeddings.word_embeddings.weight"),
        Rule(
            ("positions",),
            (
                "embeddings.position_embeddings.weight",
                "embeddings.token_type_embeddings.weight",
            ),
            positions,
            positions_and_types,
        ),
        *layer_rules("input_norm", "embeddings.LayerNorm"),
        *stack_rules(BERT_BLOCK, settings["num_hidden_layers"]),
    ]


def _vit(settings: Settings) -> Rules:
    return [
        patch_rule("embeddings.patch_embeddings.projection", settings["patch_size"]),
        same("patch.bias", "embeddings.patch_embeddings.projection.bias"),
        shaped("class_token", "embeddings.cls_token", (-1,), (1, 1, -1)),
        shaped(
            "positions",
            "embeddings.position_embeddings",
            (-1, settings["hidden_size"]),
            (1, -1, settings["hidden_size"]),
        ),
        *layer_rules("norm", "layernorm"),
        *stack_rules(VIT_BLOCK, settings["num_hidden_layers"]),
    ]


def _clip_text(settings: Settings) -> Rules:
    return [
        same("embedding.weight", "embeddings.token_embedding.weight"),
        same("positions", "embeddings.position_embedding.weight"),
        *layer_rules("norm", "final_layer_norm"),
        *stack_rules(CLIP_BLOCK, settings["num_hidden_layers"]),
        *(layer_rules("pooler", "head") if is_siglip(settings) else []),
    ]


def _clip_vision(settings: Settings) -> Rules:
    rules = [
        patch_rule("embeddings.patch_embedding", settings["patch_size"]),
        same("positions", "embeddings.position_embedding.weight"),
        *layer_rules("norm", "post_layernorm"),
        *stack_rules(CLIP_BLOCK, settings["num_hidden_layers"]),
    ]
    if not is_siglip(settings):
        return [
            *rules,
            same("class_token", "embeddings.class_embedding"),
            *layer_rules("input_norm", "pre_layrnorm"),
        ]
    rules.append(same("patch.bias", "embeddings.patch_embedding.bias"))
    return rules + inside(_attention_pool(), ours="attention_pool.", theirs="head.")


def _attention_pool() -> Rules:
    """SigLIP's attention pooling of patches with one learned query."""
    maps = [
        regrouped(
            {f"query.{part}": 1, f"key_value.{part}": 2},
            {f"attention.in_proj_{part}": 3},
        )
        for part in ("weight", "bias")
    ]
    return [
        shaped("probe", "probe", (-1,), (1, 1, -1)),
        *maps,
        *layer_rules("out", "attention.out_proj"),
        *layer_rules("norm", "layernorm"),
        *layer_rules("fc1", "mlp.fc1"),
        *layer_rules("fc2", "mlp.fc2"),
    ]


def patch_rule(theirs: str, size: int) -> Rule:
    """The map of patches, which is a convolution (D, 3, size, size) there."""
    return shaped("patch.weight", f"{theirs}.weight", (-1, 3 * size**2), (-1, 3, size, size))


def stack_rules(names: BlockNames, depth: int, ours: str = "transformer.blocks") -> Rules:
    """A stack of `depth` blocks, below `ours`."""
    return [
        rule
        for number in numbered(depth)
        for rule in block_rules(names, f"{names.blocks}.{number}", f"{ours}.{number}")
    ]


def block_rules(names: BlockNames, theirs: str, ours: str) -> Rules:
    """One block."""
    maps = [f"{theirs}.{name}" for name in names.query_key_value]
    return [
        *layer_rules(f"{ours}.attention.qkv", *maps),
        *layer_rules(f"{ours}.attention.out", f"{theirs}.{names.out}"),
        *layer_rules(f"{ours}.norm1", f"{theirs}.{names.norm1}"),
        *layer_rules(f"{ours}.norm2", f"{theirs}.{names.norm2}"),
        *layer_rules(f"{ours}.fc1", f"{theirs}.{names.fc1}"),
        *layer_rules(f"{ours}.fc2", f"{theirs}.{names.fc2}"),
    ]


def blocks(
    tensors: Mapping[str, Tensor], names: BlockNames, depth: int, ours: str = "transformer.blocks"
) -> dict[str, Tensor]:
    """Returns the tensors of `depth` blocks under the names of `weft.layers.transformer`, below `ours`."""
    return read(stack_rules(names, depth, ours), tensors)


def block(
    tensors: Mapping[str, Tensor], names: BlockNames, theirs: str, ours: str
) -> dict[str, Tensor]:
    """One block."""
    return read(block_rules(names, theirs, ours), tensors)


def joined_layers(
    tensors: Mapping[str, Tensor], theirs: str, names: Sequence[str], ours: str
) -> dict[str, Tensor]:
    """Several linear maps of the same input as one."""
    return read(layer_rules(ours, *(f"{theirs}.{name}" for name in names)), tensors)


def layer(tensors: Mapping[str, Tensor], theirs: str, ours: str) -> dict[str, Tensor]:
    """Weight and bias of a linear map or a norm."""
    return read(layer_rules(ours, theirs), tensors)
