"""ViLT: the bare model, and the models for masked words, for answers and for retrieval."""

from collections.abc import Mapping
from typing import cast

from torch import Tensor

from weft.architectures.checkpoints._checkpoint import (
    Checkpoint,
    Source,
    answers_of,
    inside,
    language_head,
)
from weft.architectures.model import ModelConfig
from weft.architectures.vilt import vilt
from weft.core.errors import WeftError
from weft.decoders.classifier import ClassifierConfig
from weft.encoders.convert import block_settings
from weft.encoders.pretrained import HALF
from weft.encoders.transformer_text import TextTransformerConfig
from weft.encoders.vit import ViTConfig
from weft.encoders.weight_names import VIT_BLOCK, Settings, below, blocks, layer
from weft.fusion.early import EarlyConfig
from weft.heads.classes import ClassOutput
from weft.heads.head import HeadConfig
from weft.heads.numbers import NumberOutput
from weft.layers.transformer import TransformerConfig
from weft.modalities.processor import read_processor

MODEL_TYPE = "vilt"


def convert(tensors: Mapping[str, Tensor], settings: Settings, source: Source) -> Checkpoint:
    """Converts the model. The head for pairs of pictures (NLVR2) is left out."""
    if not settings["qkv_bias"] or not isinstance(settings["image_size"], int):
        raise WeftError(f"{source.folder}: expected a ViLT with qkv_bias and square pictures")
    body = below(tensors, ("", "vilt."), "embeddings.")
    answer, rank = _answer(tensors), _rank(tensors)
    heads: dict[str, HeadConfig] = {}
    if answer:
        classes, width = answer["out.weight"].shape[0], settings["hidden_size"]
        made = vilt(vocab_size=1, width=width, answers=classes).heads["answer"]
        # Fine-tuned by binary cross-entropy against the scores of the annotators.
        output = ClassOutput(classes=answers_of(settings), exclusive=False)
        heads["answer"] = made.replace(output=output)
    if rank:
        heads["rank"] = HeadConfig(ClassifierConfig(settings["hidden_size"], 1), NumberOutput())
    return Checkpoint(
        config=_config(settings, source).replace(heads=heads),
        tensors={
            **inside(f"encoders.{source.text}", _text(body)),
            **inside("encoders.image", _image(body)),
            **inside("fusion", _fusion(body, settings["num_hidden_layers"])),
            **inside("heads.answer.decoder", answer),
            **inside("heads.rank.decoder", rank),
        },
        folder=source.folder,
        language_head=language_head(tensors, "mlm_score"),
    )


def _config(settings: Settings, source: Source) -> ModelConfig:
    config = vilt(
        vocab_size=settings["vocab_size"],
        image_size=settings["image_size"],
        patch_size=settings["patch_size"],
        width=settings["hidden_size"],
        max_length=settings["max_position_embeddings"],
        text=source.text,
    )
    processor = read_processor(source.folder)
    eps = settings["layer_norm_eps"]
    text = cast(TextTransformerConfig, config.encoders[source.text]).replace(norm_eps=eps)
    image = cast(ViTConfig, config.encoders["image"]).replace(
        mean=processor.mean or HALF, std=processor.std or HALF
    )
    transformer = TransformerConfig(
        norm_eps=eps,
        dropout=settings["hidden_dropout_prob"],
        attention_dropout=settings["attention_probs_dropout_prob"],
        **block_settings(settings),
    )
    fusion = cast(EarlyConfig, config.fusion).replace(transformer=transformer)
    return config.replace(encoders={source.text: text, "image": image}, fusion=fusion)


def _text(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    words = "embeddings.text_embeddings"
    # A Field is one segment, so token type 0 is added at every position and is merged into it.
    segment = tensors[f"{words}.token_type_embeddings.weight"][0]
    return {
        "embedding.weight": tensors[f"{words}.word_embeddings.weight"],
        "positions": tensors[f"{words}.position_embeddings.weight"] + segment,
        **layer(tensors, f"{words}.LayerNorm", "input_norm"),
    }


def _image(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    patches = "embeddings.patch_embeddings.projection"
    return {
        "patch.weight": tensors[f"{patches}.weight"].flatten(1),
        "patch.bias": tensors[f"{patches}.bias"],
        "class_token": tensors["embeddings.cls_token"].flatten(),
        "positions": tensors["embeddings.position_embeddings"][0],
    }


def _fusion(tensors: Mapping[str, Tensor], depth: int) -> dict[str, Tensor]:
    return {
        # The third type, for a second picture, is not used.
        "types": tensors["embeddings.token_type_embeddings.weight"][:2],
        **blocks(tensors, VIT_BLOCK, depth),
        **layer(tensors, "layernorm", "norm"),
        **layer(tensors, "pooler.dense", "pooler"),
    }


def _answer(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The head for a question, which is twice as wide as the model; the one for pairs of pictures is not."""
    hidden = tensors.get("classifier.0.weight")
    if hidden is None or hidden.shape[0] != 2 * hidden.shape[1]:
        return {}
    return {
        **layer(tensors, "classifier.0", "hidden.0"),
        **layer(tensors, "classifier.1", "hidden_norms.0"),
        **layer(tensors, "classifier.3", "out"),
    }


def _rank(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return layer(tensors, "rank_output", "out") if "rank_output.weight" in tensors else {}
