"""Files that several libraries use: tokenizer, picture processor, weights."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor

from weft.core.errors import WeftError
from weft.encoders.vit import ViTConfig
from weft.export._model import Exported
from weft.modalities.image import ImageConfig

_PILLOW = {"bilinear": 2, "bicubic": 3}
"""Pillow's codes of interpolations."""


def write_json(path: Path, value: Mapping[str, Any] | list[Any]) -> None:
    """Writes an indented JSON file."""
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def write_weights(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Writes a safetensors file of PyTorch tensors."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(
        {name: tensor.contiguous() for name, tensor in tensors.items()}, path, {"format": "pt"}
    )


def write_tokenizer(model: Exported, folder: Path, *, masked: bool = True) -> None:
    """Writes tokenizer.json and tokenizer_config.json. masked: the model gets an attention mask."""
    tokens, length = model.tokens, model.words.config.max_length
    tokens.tokenizer.no_padding()
    tokens.tokenizer.no_truncation()
    tokens.tokenizer.save(str(folder / "tokenizer.json"))
    names = {role: tokens.tokenizer.id_to_token(token) for role, token in tokens.special.items()}
    special = {
        "pad_token": names.get("pad", names.get("sep")),
        "eos_token": names.get("sep"),
        "sep_token": names.get("sep"),
        "bos_token": names.get("cls"),
        "cls_token": names.get("cls"),
        "unk_token": names.get("unk"),
        "mask_token": names.get("mask"),
    }
    write_json(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": length,
            "truncation_side": model.words.config.truncation_side,
            "padding_side": "right",
            "clean_up_tokenization_spaces": False,
            "model_input_names": ["input_ids", "attention_mask"] if masked else ["input_ids"],
            **{role: token for role, token in special.items() if token is not None},
        },
    )


def picture_processor(picture: ImageConfig, vision: ViTConfig, kind: str) -> dict[str, Any]:
    """The content of transformers' preprocessor_config.json. kind: CLIP or Siglip. Raises WeftError for fit pad."""
    if picture.fit == "pad":
        raise WeftError(
            "transformers crops or squashes a picture to a square, this run pads it (fit pad)"
        )
    side = {"height": picture.size, "width": picture.size}
    cropped = picture.fit == "crop"
    found: dict[str, Any] = {
        "image_processor_type": f"{kind}ImageProcessor",
        "processor_class": f"{kind}Processor",
        "do_convert_rgb": True,
        "do_resize": True,
        "size": {"shortest_edge": round(picture.size / picture.eval_crop)} if cropped else side,
        "resample": _PILLOW[picture.interpolation],
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(vision.mean),
        "image_std": list(vision.std),
    }
    if cropped:
        return {**found, "do_center_crop": True, "crop_size": side}
    return {**found, "do_center_crop": False}
