"""Folders for open_clip: its vision and text transformers, and SigLIP."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from weft.core.errors import WeftError
from weft.encoders.dual_encoder import BIAS
from weft.encoders.open_clip import NORM_EPS, TIMM_TOWERS, describe
from weft.encoders.renaming import write as renamed
from weft.encoders.transformer_text import TextTransformerConfig
from weft.encoders.vit import ViTConfig
from weft.export._files import write_json, write_tokenizer, write_weights
from weft.export._library import Wanted
from weft.export._model import Exported, check_holds
from weft.modalities.image import ImageConfig
from weft.runs.run import Run

_RESIZING = {"crop": "shortest", "squash": "squash", "pad": "longest"}


def write(run: Run, folder: Path, wanted: Wanted) -> Sequence[str]:
    """Writes open_clip_config.json, open_clip_model.safetensors and the tokenizer; load them with `local-dir:`."""
    wanted.require_whole("open_clip")
    model = Exported.of(run)
    image, text, width = model.dual("open_clip")
    if image.pooling != "attention":
        model = model.without_patch_bias()
        image, text, width = model.dual("open_clip")
    config = _model(model, image, text, width)
    pad = model.tokens.special.get("pad", 0)
    dual = describe(config, pad_id=pad)
    check_holds("open_clip", {"image": image, "text": text}, dual)
    if dual.embedding != width:
        raise WeftError("open_clip has no projections of this kind")
    preprocessing, lines = _pictures(model.picture, image)
    write_json(
        folder / "open_clip_config.json", {"model_cfg": config, "preprocess_cfg": preprocessing}
    )
    write_weights(folder / "open_clip_model.safetensors", renamed(dual.rules, model.tensors))
    write_tokenizer(model, folder)
    return lines


def _model(
    model: Exported, image: ViTConfig, text: TextTransformerConfig, width: int | None
) -> dict[str, Any]:
    """The model_cfg of open_clip."""
    siglip = image.pooling == "attention"
    quick = {image.activation, text.activation} == {"quick_gelu"}
    return {
        "embed_dim": text.dim if width is None else width,
        **({"quick_gelu": True} if quick else {}),
        **({"custom_text": True} if siglip else {}),
        **({"init_logit_bias": float(model.tensors[BIAS])} if model.sigmoid else {}),
        "vision_cfg": _timm(image) if siglip else _vision(image),
        "text_cfg": _text(text),
    }


def _vision(config: ViTConfig) -> dict[str, Any]:
    return {
        "image_size": config.image_size,
        "layers": config.depth,
        "width": config.dim,
        "head_width": config.dim // config.heads,
        "patch_size": config.patch_size,
        "pool_type": "tok" if config.pooling == "class" else "avg",
        **({} if config.input_norm else {"no_ln_pre": True}),
        **_shape(config),
    }


def _timm(config: ViTConfig) -> dict[str, Any]:
    sizes = (config.patch_size, config.dim, config.depth, config.heads, config.transformer().hidden)
    for tower in TIMM_TOWERS:
        if sizes == (tower.patch, tower.width, tower.depth, tower.heads, tower.mlp):
            # The name fixes the activation; the size is set beside it.
            for side, activation in tower.activations.items():
                if (side, activation) == (config.image_size, config.activation):
                    return {
                        "image_size": config.image_size,
                        "timm_model_name": f"vit_{tower.name}_siglip_{side}",
                        "timm_model_pretrained": False,
                        "timm_pool": "map",
                        "timm_proj": "none",
                    }
    raise WeftError(
        f"open_clip takes vision towers of SigLIP from timm, which has none of {config.image_size} pixels in "
        f"patches of {config.patch_size}, width {config.dim}, {config.depth} blocks and {config.activation}"
    )


def _text(config: TextTransformerConfig) -> dict[str, Any]:
    if config.filled_with is not None:
        pooling: dict[str, Any] = {"pool_type": "last"}
    elif config.eos_id == config.vocab_size - 1:
        pooling = {"pool_type": "argmax"}
    else:
        pooling = {"pool_type": "eos", "eos_id": config.eos_id}
    return {
        "context_length": config.max_length,
        "vocab_size": config.vocab_size,
        "width": config.dim,
        "heads": config.heads,
        "layers": config.depth,
        "hf_tokenizer_name": "tokenizer.json",  # which lies beside this file
        **pooling,
        **({} if config.causal else {"no_causal_mask": True}),
        **({"proj_bias": True} if config.pooler else {}),
        **_shape(config),
    }


def _shape(config: ViTConfig | TextTransformerConfig) -> dict[str, Any]:
    return {
        "mlp_ratio": _ratio(config.transformer().hidden, config.dim),
        **({"norm_kwargs": {"eps": config.norm_eps}} if config.norm_eps != NORM_EPS else {}),
        **({"act_kwargs": {"approximate": "tanh"}} if config.activation == "gelu_tanh" else {}),
    }


def _ratio(hidden: int, width: int) -> float:
    """The ratio from which open_clip computes `hidden` by int(width * ratio)."""
    ratio = hidden / width
    return ratio if int(width * ratio) == hidden else (hidden + 0.5) / width


def _pictures(picture: ImageConfig, image: ViTConfig) -> tuple[dict[str, Any], list[str]]:
    """The preprocess_cfg, and lines about what it cannot express."""
    lines = []
    if picture.fit == "crop" and picture.eval_crop != 1:
        lines.append(
            f"open_clip crops the whole shorter side of a picture, this run {picture.eval_crop} of it"
        )
    found = {
        "size": [picture.size, picture.size],
        "mode": "RGB",
        "mean": list(image.mean),
        "std": list(image.std),
        "interpolation": picture.interpolation,
        "resize_mode": _RESIZING[picture.fit],
        "fill_color": picture.pad_value,
    }
    return found, lines
