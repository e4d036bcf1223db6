"""Folders for Hugging Face transformers: CLIP, SigLIP and CLAP."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from weft.core.errors import WeftError
from weft.encoders.dual import of_settings
from weft.encoders.dual_encoder import DualEncoder
from weft.encoders.renaming import write as renamed
from weft.encoders.transformer_text import TextTransformerConfig
from weft.encoders.vit import ViTConfig
from weft.export._clap import write_clap
from weft.export._files import picture_processor, write_json, write_tokenizer, write_weights
from weft.export._library import Wanted
from weft.export._model import Exported, check_holds
from weft.runs.run import Run

ACTIVATION_NAMES = {
    "gelu": "gelu",
    "gelu_tanh": "gelu_pytorch_tanh",
    "quick_gelu": "quick_gelu",
    "relu": "relu",
}


def write(run: Run, folder: Path, wanted: Wanted) -> Sequence[str]:
    """Writes config.json, model.safetensors, the tokenizer and preprocessor_config.json."""
    wanted.require_whole("transformers")
    return write_model(Exported.of(run), folder)


def write_model(model: Exported, folder: Path) -> Sequence[str]:
    """Like `write`, for a model that has been taken out of its run."""
    if "audio" in model.towers:
        return write_clap(model, folder)
    image, text, width = model.dual("transformers")
    siglip = width is None and image.pooling == "attention"
    settings = config_of(model, image, text, width)
    dual = of_settings(settings)
    name = f"transformers' {'SigLIP' if siglip else 'CLIP'}"
    if dual is None or (width is None) != siglip:
        raise WeftError(f"{name} has no projections of this kind")
    check_holds(name, {"image": image, "text": text}, dual)
    write_json(folder / "config.json", settings)
    write_weights(folder / "model.safetensors", renamed(dual.rules, model.tensors))
    write_tokenizer(model, folder, masked=not siglip)
    kind = "Siglip" if siglip else "CLIP"
    write_json(folder / "preprocessor_config.json", picture_processor(model.picture, image, kind))
    return _left_out(model, dual)


def _left_out(model: Exported, dual: DualEncoder) -> list[str]:
    if model.sigmoid and not dual.sigmoid:
        return ["the bias of the sigmoid loss is left out, which transformers' CLIP lacks"]
    return []


def config_of(
    model: Exported, image: ViTConfig, text: TextTransformerConfig, width: int | None
) -> dict[str, Any]:
    """The config.json of CLIP, or of SigLIP if a tower pools by attention."""
    siglip = image.pooling == "attention"
    kind = "siglip" if siglip else "clip"
    special = model.tokens.special
    words = {
        **_blocks(text),
        "model_type": f"{kind}_text_model",
        "vocab_size": text.vocab_size,
        "max_position_embeddings": text.max_length,
        # 2 would mean the highest id: see `weft.encoders.convert.text_config`.
        "eos_token_id": special.get("sep", 0) if text.eos_id is None else text.eos_id,
        "bos_token_id": special.get("cls", 0),
        "pad_token_id": special.get("pad", 0) if text.filled_with is None else text.filled_with,
        **({"projection_size": text.dim} if siglip else {"projection_dim": width}),
    }
    pictures = {
        **_blocks(image),
        "model_type": f"{kind}_vision_model",
        "image_size": image.image_size,
        "patch_size": image.patch_size,
        "num_channels": 3,
        **({} if siglip else {"projection_dim": width}),
    }
    return {
        "model_type": kind,
        "architectures": ["SiglipModel" if siglip else "CLIPModel"],
        "text_config": words,
        "vision_config": pictures,
        "torch_dtype": "float32",
        **({} if siglip else {"projection_dim": width}),
    }


def _blocks(config: ViTConfig | TextTransformerConfig) -> dict[str, Any]:
    return {
        "hidden_size": config.dim,
        "num_hidden_layers": config.depth,
        "num_attention_heads": config.heads,
        "intermediate_size": config.transformer().hidden,
        "hidden_act": ACTIVATION_NAMES[config.activation],
        "layer_norm_eps": config.norm_eps,
        "attention_dropout": config.attention_dropout,
    }
