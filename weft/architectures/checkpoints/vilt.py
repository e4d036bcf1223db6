"""ViLT: the bare model, and those for masked words, for answers and for retrieval."""

from collections.abc import Mapping
from pathlib import Path
from typing import cast

from torch import Tensor

from weft.architectures.checkpoints._checkpoint import Checkpoint, answers_of, below_parts
from weft.architectures.model import ModelConfig
from weft.architectures.vilt import vilt
from weft.core.config import Config
from weft.core.errors import WeftError
from weft.decoders.classifier import ClassifierConfig
from weft.encoders.convert import VIT_BLOCK, Settings, below, block_settings, blocks, layer
from weft.encoders.pretrained import HALF, pixels
from weft.encoders.transformer_text import TextTransformerConfig
from weft.encoders.vit import ViTConfig
from weft.fusion.early import EarlyConfig
from weft.layers.transformer import TransformerConfig

MODEL_TYPE = "vilt"


def convert(tensors: Mapping[str, Tensor], settings: Settings, folder: Path) -> Checkpoint:
    """The model as ours. The head for pairs of pictures (NLVR2) is left behind."""
    if not settings["qkv_bias"] or not isinstance(settings["image_size"], int):
        raise WeftError(f"{folder}: expected a ViLT with qkv_bias and square pictures")
    body = below(tensors, ("", "vilt."), "embeddings.")
    heads = {"answer": _answer(tensors), "rank": _rank(tensors)}
    heads = {name: head for name, head in heads.items() if head}
    config = _config(settings, folder)
    decoders: dict[str, Config] = {}
    width = settings["hidden_size"]
    if "answer" in heads:
        answers = len(heads["answer"]["out.weight"])
        decoders["answer"] = vilt(vocab_size=1, width=width, answers=answers).decoders["answer"]
    if "rank" in heads:
        decoders["rank"] = ClassifierConfig(width, 1)
    return Checkpoint(
        config=config.replace(decoders=decoders),
        tensors={
            **_body(body, settings["num_hidden_layers"]),
            **{
                f"decoders.{name}.{key}": t
                for name, head in heads.items()
                for key, t in head.items()
            },
        },
        where=folder,
        answers=answers_of(settings) if "answer" in heads else (),
    )


def _config(settings: Settings, folder: Path) -> ModelConfig:
    dropout, eps = settings["hidden_dropout_prob"], settings["layer_norm_eps"]
    config = vilt(
        vocab_size=settings["vocab_size"],
        image_size=settings["image_size"],
        patch_size=settings["patch_size"],
        width=settings["hidden_size"],
        max_length=settings["max_position_embeddings"],
    )
    mean, std = pixels(folder)
    image = cast(ViTConfig, config.encoders["image"]).replace(mean=mean or HALF, std=std or HALF)
    text = cast(TextTransformerConfig, config.encoders["text"]).replace(norm_eps=eps)
    transformer = TransformerConfig(
        norm_eps=eps,
        dropout=dropout,
        attention_dropout=settings["attention_probs_dropout_prob"],
        **block_settings(settings),
    )
    fusion = cast(EarlyConfig, config.fusion).replace(transformer=transformer)
    return config.replace(encoders={"text": text, "image": image}, fusion=fusion)


def _body(tensors: Mapping[str, Tensor], depth: int) -> dict[str, Tensor]:
    words, patches = "embeddings.text_embeddings", "embeddings.patch_embeddings.projection"
    segment = tensors[f"{words}.token_type_embeddings.weight"][0]
    text = {
        "embedding.weight": tensors[f"{words}.word_embeddings.weight"],
        # A Field is one segment: token type 0 is the same at every position and joins it.
        "positions": tensors[f"{words}.position_embeddings.weight"] + segment,
        **layer(tensors, f"{words}.LayerNorm", "input_norm"),
    }
    image = {
        "patch.weight": tensors[f"{patches}.weight"].flatten(1),
        "patch.bias": tensors[f"{patches}.bias"],
        "class_token": tensors["embeddings.cls_token"].flatten(),
        "positions": tensors["embeddings.position_embeddings"][0],
    }
    fusion = {
        # A third type, of a second picture, has no place here.
        "types": tensors["embeddings.token_type_embeddings.weight"][:2],
        **blocks(tensors, VIT_BLOCK, depth),
        **layer(tensors, "layernorm", "norm"),
        **layer(tensors, "pooler.dense", "pooler"),
    }
    return {
        **below_parts(text, "encoders.text"),
        **below_parts(image, "encoders.image"),
        **below_parts(fusion, "fusion"),
    }


def _answer(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The head for one picture and a question; that for several pictures is wider than the model."""
    if "classifier.3.weight" not in tensors:
        return {}
    if tensors["classifier.0.weight"].shape[0] != 2 * tensors["classifier.0.weight"].shape[1]:
        return {}
    return {
        **layer(tensors, "classifier.0", "hidden.0"),
        **layer(tensors, "classifier.1", "hidden_norms.0"),
        **layer(tensors, "classifier.3", "out"),
    }


def _rank(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return layer(tensors, "rank_output", "out") if "rank_output.weight" in tensors else {}
