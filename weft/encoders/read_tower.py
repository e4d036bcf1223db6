"""Towers of Hugging Face transformers, built from their settings with weights from safetensors.

Settings are only data. Those that would make transformers run or fetch code (auto_map, kernels of the hub), or read
other files than the model's own (adapters, quantised weights), are refused or removed.
"""

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from weft.core.errors import WeftError
from weft.core.tensors import BuildLimits
from weft.encoders.weights import read_folder
from weft.hub import quiet

TextPooling = Literal["own", "cls"]
# Text towers of models with two towers, and which of their vectors the model compares with pictures
# or sounds: the tower's own pooled vector, or the first token.
DUAL_TEXT: dict[str, TextPooling] = {
    "siglip_text_model": "own",
    "siglip2_text_model": "own",
    "metaclip_2_text_model": "own",
    "clap_text_model": "own",
    "chinese_clip_text_model": "cls",
    "align_text_model": "cls",
}
OUR_DUAL_TEXT = "clip_text_model"
FILLED_UP = ("siglip_text_model", "siglip2_text_model")
"""These were trained on texts padded to the full length, and attend to the padding."""
_IMPLEMENTATIONS = ("attn_implementation", "experts_implementation")
_INPUTS = ("input_ids", "pixel_values")
SOUNDS = {
    "audio-spectrogram-transformer": "spectrogram",
    "clap_audio_model": "spectrogram",
    "whisper": "spectrogram",
    **dict.fromkeys(
        ("data2vec-audio", "hubert", "sew", "unispeech", "wav2vec2", "wavlm"), "waveform"
    ),
}
"""Sound towers, and their input."""
VIDEOS = {"timesformer": "cls", "videomae": "mean", "vivit": "cls"}
"""Video towers, and the tokens that a classifier reads."""
_WITHOUT_POOLER = ("vivit", *(kind for kind, how in DUAL_TEXT.items() if how == "cls"))
"""Their pooler's output is useless, and some files lack its weights."""


def read_tower(settings: Mapping[str, Any], source: Path | None, tower: str = "auto") -> nn.Module:
    """Builds the tower of these settings with the weights in `source`, or random ones if it is None.

    tower: which one of a model with two. Of an encoder-decoder, the encoder. Only safetensors are read. Raises
    WeftError if weights are missing, or the model reads anything other than texts, pictures, sounds or videos.
    """
    with quiet():
        model = _read(settings, source, tower)
    _check_input(model, settings)
    found: nn.Module = model.float()
    return found


def _read(settings: Mapping[str, Any], source: Path | None, tower: str) -> Any:
    if source is None:
        config, tower_class = _described(settings)
        model = tower_class(config)
    else:
        if (source / "adapter_config.json").is_file():
            raise WeftError(f"{source}: holds adapters of another model, expected whole weights")
        tensors = read_folder(source)
        with BuildLimits(tensors):
            config, tower_class = _described(settings)
            model = _filled(config, tower_class, source, tensors, tower)
    if settings["model_type"] in _WITHOUT_POOLER:
        model.pooler = None
    if config.is_encoder_decoder:
        model = model.get_encoder()
    return model


def _filled(
    config: Any, tower_class: Any, source: Path, tensors: Mapping[str, Tensor], tower: str
) -> Any:
    """Loads the tower's weights. Raises WeftError if some are missing."""
    files = {"use_safetensors": True, "local_files_only": True}
    model, report = tower_class.from_pretrained(
        source, config=config, output_loading_info=True, **files
    )
    if report["missing_keys"] and tower != "auto":
        # Not every class knows the prefix of its weights in a model with two towers.
        start = f"{tower}_model."
        its_own = {
            name.removeprefix(start): tensor
            for name, tensor in tensors.items()
            if name.startswith(start)
        }
        model, report = tower_class.from_pretrained(
            None, config=config, state_dict=its_own, output_loading_info=True
        )
    needless = "pooler." if config.model_type in _WITHOUT_POOLER else None
    missing = sorted(
        k for k in report["missing_keys"] if needless is None or not k.startswith(needless)
    )
    if missing:
        raise WeftError(f"{source}: lacks {len(missing)} weights of the tower: {missing[0]}, ...")
    starts = ("encoder.", "embeddings.", f"{tower}_model.")
    unused = sorted(k for k in report["unexpected_keys"] if k.startswith(starts))
    if unused:
        raise WeftError(
            f"{source}: has {len(unused)} weights that the tower lacks: {unused[0]}, ..."
        )
    return model


def refuse_unknown_text(name: str, kind: str, tower: str) -> None:
    """Raises WeftError for the text tower of a two-tower model whose pooling is unknown to weft."""
    known = [OUR_DUAL_TEXT, *DUAL_TEXT]
    if tower not in known:
        models = ", ".join(sorted(one.removesuffix("_text_model") for one in known))
        raise WeftError(
            f"{name}: the text tower of a '{kind}' model cannot be opened by itself, expected that of "
            f"one of: {models}"
        )


def _described(settings: Mapping[str, Any]) -> tuple[Any, Any]:
    """Returns the config and the class of the tower."""
    import transformers
    from transformers import AutoConfig, AutoModel

    kind, values = settings["model_type"], _only_data(settings)
    if values.get("quantization_config"):
        raise WeftError(f"a '{kind}' model has quantised weights, expected weights of floats")
    config = AutoConfig.for_model(kind, **values)
    # Towers of two-tower models have a class, but are not in AutoModel's list.
    named = type(config).__name__.removesuffix("Config") + "Model"
    if hasattr(transformers, named) and type(config) not in AutoModel._model_mapping:
        return config, getattr(transformers, named)
    with torch.device("meta"):
        made = AutoModel.from_config(config, trust_remote_code=False)  # type: ignore[no-untyped-call]
    return config, type(made)


def _only_data(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the settings without those that name code."""
    left_out = ("model_type", "auto_map", *_IMPLEMENTATIONS, *(f"_{n}" for n in _IMPLEMENTATIONS))
    return {
        key: _only_data(value) | _kind(value) if isinstance(value, Mapping) else value
        for key, value in settings.items()
        if key not in left_out
    }


def _kind(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {"model_type": settings["model_type"]} if "model_type" in settings else {}


def _check_input(tower: nn.Module, settings: Mapping[str, Any]) -> None:
    """Raises WeftError unless the tower reads batches of token ids or of pictures, sounds or videos in a way that
    weft supports, the same way each time."""
    if settings["model_type"] in SOUNDS:
        return
    kind, reads = settings["model_type"], getattr(tower, "main_input_name", None)
    if reads not in _INPUTS or (reads == "input_ids" and "num_channels" in settings):
        raise WeftError(
            f"a '{kind}' model reads {reads}, expected a tower of texts, pictures, or of a kind of: {_media()}"
        )
    needed = [
        name
        for name, parameter in inspect.signature(cast(Any, tower).forward).parameters.items()
        if parameter.default is inspect.Parameter.empty
        and parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
        and name != reads
    ]
    if needed:
        raise WeftError(
            f"a '{kind}' tower also needs {', '.join(needed)}, which weft does not give"
        )
    if "num_frames" in settings and kind not in VIDEOS:
        raise WeftError(f"a '{kind}' model reads videos, expected one of a kind of: {_media()}")
    if reads == "pixel_values" and "mask_ratio" in settings:
        raise WeftError(
            f"a '{kind}' model hides patches at random, expected one that reads them all"
        )


def _media() -> str:
    return ", ".join(sorted((*SOUNDS, *VIDEOS)))
