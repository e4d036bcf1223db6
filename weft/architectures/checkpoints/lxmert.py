"""LXMERT: the bare model, the pretraining model, and the model for questions."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from torch import Tensor

from weft.architectures.checkpoints._checkpoint import (
    Checkpoint,
    Source,
    answers_of,
    inside,
    language_head,
)
from weft.architectures.lxmert import lxmert
from weft.architectures.model import ModelConfig
from weft.core.errors import WeftError
from weft.encoders.convert import ACTIVATIONS
from weft.encoders.regions import CORNERS, RegionsConfig
from weft.encoders.transformer_text import TextTransformerConfig
from weft.encoders.weight_names import (
    BERT_BLOCK,
    BlockNames,
    Settings,
    below,
    block,
    blocks,
    joined_layers,
    layer,
)
from weft.fusion.cross_modality import CrossModalityConfig
from weft.heads.classes import ClassOutput

MODEL_TYPE = "lxmert"


def convert(tensors: Mapping[str, Tensor], settings: Settings, source: Source) -> Checkpoint:
    """Converts the model. The heads for masked regions are left out."""
    corners = settings["visual_pos_dim"]
    if corners != CORNERS:
        raise WeftError(
            f"{source.folder}: visual_pos_dim is {corners}, expected {CORNERS}: corners"
        )
    body = below(tensors, ("", "lxmert."), "embeddings.")
    heads = {"matching": _matching(tensors), "answer": _answer(tensors)}
    heads = {name: head for name, head in heads.items() if head}
    config = _config(settings, source)
    mapped = {
        **inside(f"encoders.{source.text}", _text(body, settings["l_layers"])),
        **inside("encoders.image", _image(body, settings["r_layers"])),
        **inside("fusion", _fusion(body, settings["x_layers"], source.text)),
    }
    for name, head in heads.items():
        mapped |= inside(f"heads.{name}.decoder", head)
    # The class names in the settings belong to other tasks, unless their number matches.
    answers = answers_of(settings)
    made = {name: config.heads[name] for name in heads}
    if "answer" in made and len(answers) == settings["num_qa_labels"]:
        made["answer"] = made["answer"].replace(output=ClassOutput(classes=answers))
    return Checkpoint(
        config=config.replace(heads=made),
        tensors=mapped,
        folder=source.folder,
        language_head=language_head(tensors, "cls.predictions"),
    )


def _config(settings: Settings, source: Source) -> ModelConfig:
    config = lxmert(
        vocab_size=settings["vocab_size"],
        feature_dim=settings["visual_feat_dim"],
        width=settings["hidden_size"],
        text_depth=settings["l_layers"],
        max_length=settings["max_position_embeddings"],
        dropout=settings["hidden_dropout_prob"],
        text=source.text,
        answers=settings["num_qa_labels"],
    )
    shape: dict[str, Any] = {
        "heads": settings["num_attention_heads"],
        "mlp": settings["intermediate_size"],
        "activation": ACTIVATIONS[settings["hidden_act"]],
        "attention_dropout": settings["attention_probs_dropout_prob"],
    }
    text = cast(TextTransformerConfig, config.encoders[source.text]).replace(**shape)
    fusion = cast(CrossModalityConfig, config.fusion)
    blocks = fusion.transformer.replace(depth=settings["x_layers"], **shape)
    image = cast(RegionsConfig, config.encoders["image"]).replace(
        transformer=blocks.replace(depth=settings["r_layers"])
    )
    return config.replace(
        encoders={source.text: text, "image": image}, fusion=fusion.replace(transformer=blocks)
    )


def _text(tensors: Mapping[str, Tensor], depth: int) -> dict[str, Tensor]:
    # A Field is one segment, so token type 0 is added at every position and is merged into it.
    segment = tensors["embeddings.token_type_embeddings.weight"][0]
    return {
        "embedding.weight": tensors["embeddings.word_embeddings.weight"],
        "positions": tensors["embeddings.position_embeddings.weight"] + segment,
        **layer(tensors, "embeddings.LayerNorm", "input_norm"),
        **blocks(tensors, BERT_BLOCK, depth),
    }


def _image(tensors: Mapping[str, Tensor], depth: int) -> dict[str, Tensor]:
    return {
        **layer(tensors, "encoder.visn_fc.visn_fc", "feature"),
        **layer(tensors, "encoder.visn_fc.visn_layer_norm", "feature_norm"),
        **layer(tensors, "encoder.visn_fc.box_fc", "position"),
        **layer(tensors, "encoder.visn_fc.box_layer_norm", "position_norm"),
        **blocks(tensors, replace(BERT_BLOCK, blocks="encoder.r_layers"), depth),
    }


def _fusion(tensors: Mapping[str, Tensor], depth: int, text: str) -> dict[str, Tensor]:
    mapped = layer(tensors, "pooler.dense", "pooler")
    for number in range(depth):
        theirs, ours = f"encoder.x_layers.{number}", f"blocks.{number}"
        mapped |= {
            **_shared(tensors, f"{theirs}.visual_attention", ours),
            **block(tensors, _stream("lang"), theirs, f"{ours}.streams.{text}"),
            **block(tensors, _stream("visn"), theirs, f"{ours}.streams.image"),
        }
    return mapped


def _shared(tensors: Mapping[str, Tensor], theirs: str, ours: str) -> dict[str, Tensor]:
    """The cross-attention shared by both directions."""
    return {
        **layer(tensors, f"{theirs}.att.query", f"{ours}.attention.query"),
        **joined_layers(tensors, f"{theirs}.att", ("key", "value"), f"{ours}.attention.key_value"),
        **layer(tensors, f"{theirs}.output.dense", f"{ours}.attention.out"),
        **layer(tensors, f"{theirs}.output.LayerNorm", f"{ours}.norm"),
    }


def _stream(name: str) -> BlockNames:
    """The self-attention and MLP of one stream in a block of the cross-modality encoder."""
    return BlockNames(
        blocks="encoder.x_layers",
        query_key_value=tuple(f"{name}_self_att.self.{p}" for p in ("query", "key", "value")),
        out=f"{name}_self_att.output.dense",
        norm1=f"{name}_self_att.output.LayerNorm",
        norm2=f"{name}_output.LayerNorm",
        fc1=f"{name}_inter.dense",
        fc2=f"{name}_output.dense",
    )


def _matching(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The head for whether picture and text belong together. The last logit means yes, as in weft."""
    if "cls.seq_relationship.weight" not in tensors:
        return {}
    return layer(tensors, "cls.seq_relationship", "out")


def _answer(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    if "answer_head.logit_fc.0.weight" not in tensors:
        return {}
    return {
        **layer(tensors, "answer_head.logit_fc.0", "hidden.0"),
        **layer(tensors, "answer_head.logit_fc.2", "norm"),
        **layer(tensors, "answer_head.logit_fc.3", "out"),
    }
