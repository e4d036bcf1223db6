"""Published models with a picture or sound tower and a text tower: their parts, and the names of their weights.

Two layouts exist: that of Hugging Face (config.json) and that of open_clip (open_clip_config.json). Both are read
into the same record.
"""

import functools
from pathlib import Path

from torch import Tensor

from weft.core.errors import WeftError
from weft.encoders import open_clip
from weft.encoders.clap import MODEL_TYPE, Clap, read_clap
from weft.encoders.convert import convertible, text_config, vision_config
from weft.encoders.dual_encoder import BIAS, PROJECTION, SCALE, DualEncoder
from weft.encoders.renaming import Rules, inside, read, same, shaped, unread
from weft.encoders.weight_names import Settings, tower_rules
from weft.encoders.weights import names_in, read_folder
from weft.hub import fetched, is_open_clip, loading, read_open_clip, read_settings
from weft.modalities.pretrained_tokenizers import load_pretrained

MODEL_TYPES = ("clip", "siglip")
"""Values in config.json. SigLIP 2 with a fixed picture size has SigLIP's."""
REFUSED = {
    "siglip2": "SigLIP 2 with patches of varying shape (naflex), expected one with a fixed picture size",
}


def read_dual(name: str, folder: Path) -> DualEncoder | None:
    """Reads the parts of the model in `folder`; None unless it is a dual encoder that weft can convert completely.

    Raises WeftError if its settings are damaged.
    """
    with loading(name):
        if is_open_clip(folder):
            return open_clip.describe(read_open_clip(folder), pad_id(folder, 0))
        settings = read_settings(name, folder)
        if settings["model_type"] not in MODEL_TYPES:
            return None
        text = dict(settings["text_config"])
        # The tokenizer is more reliable than config.json, which often has only the default.
        text["pad_token_id"] = pad_id(folder, text["pad_token_id"])
        return of_settings({**settings, "text_config": text})


def is_dual(name: str) -> bool:
    """Whether the model has two towers of a kind that weft reads, or refuses with a specific reason."""
    folder = fetched(name, weights=False)
    return is_open_clip(folder) or read_settings(name, folder)["model_type"] in (
        *MODEL_TYPES,
        MODEL_TYPE,
        *REFUSED,
    )


def require_dual(name: str, folder: Path) -> DualEncoder | Clap:
    """As `read_dual`, or a CLAP. Raises WeftError that names the actual kind of model."""
    with loading(name):
        found = read_clap(name, folder) or read_dual(name, folder)
    if found is not None:
        return found
    settings = read_settings(name, folder)
    kind = settings["model_type"]
    if kind in (*MODEL_TYPES, MODEL_TYPE):
        raise WeftError(f"{name}: has towers of '{kind}' with settings that weft lacks")
    what = REFUSED.get(kind, f"a '{kind}' model")
    raise WeftError(f"{name}: is {what}; expected CLIP, SigLIP, SigLIP 2, CLAP or open_clip")


def of_settings(settings: Settings) -> DualEncoder | None:
    """Returns the parts of a CLIP or SigLIP with this config.json."""
    text, vision = settings["text_config"], settings["vision_config"]
    if not (convertible(text) and convertible(vision)):
        return None
    rules = [
        *inside(tower_rules(vision), ours="encoders.image.", theirs="vision_model."),
        *inside(tower_rules(text), ours="encoders.text.", theirs="text_model."),
    ]
    sigmoid = settings["model_type"] == "siglip"
    rules += _siglip_rules() if sigmoid else _clip_rules()
    return DualEncoder(
        image=vision_config(vision),
        text=text_config(text),
        embedding=None if sigmoid else settings["projection_dim"],
        sigmoid=sigmoid,
        rules=rules,
    )


def _clip_rules() -> Rules:
    return [
        same(PROJECTION.format("image"), "visual_projection.weight"),
        same(PROJECTION.format("text"), "text_projection.weight"),
        same(SCALE, "logit_scale"),
    ]


def _siglip_rules() -> Rules:
    return [shaped(SCALE, "logit_scale", (), (1,)), shaped(BIAS, "logit_bias", (), (1,))]


def read_weights(dual: DualEncoder | Clap, folder: Path, below: str) -> dict[str, Tensor]:
    """Returns weft's tensors whose names begin with `below`, without this prefix.

    Raises WeftError if a tensor is missing, or the folder holds one that weft does not read: a model is read
    completely or not at all.
    """
    names = names_in(folder)
    extra = [n for n in unread(dual.rules, names) if not n.startswith(dual.beside)]
    if extra:
        more = f" and {len(extra) - 1} more" if len(extra) > 1 else ""
        raise WeftError(f"{folder}: has weights that weft does not read: {extra[0]}{more}")
    missing = sorted({n for rule in dual.rules for n in rule.theirs} - set(names))
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise WeftError(f"{folder}: lacks weights of the model: {missing[0]}{more}")
    rules = [rule for rule in dual.rules if rule.ours[0].startswith(below)]
    wanted = {name for rule in rules for name in rule.theirs}
    found = read(rules, read_folder(folder, wanted))
    return {name.removeprefix(below): tensor for name, tensor in found.items()}


def read_number(dual: DualEncoder | Clap, folder: Path, name: str) -> float:
    """Returns SCALE or BIAS of the model."""
    return float(next(iter(read_weights(dual, folder, name).values())))


def pad_id(folder: Path, otherwise: int) -> int:
    """Returns the padding id of the tokenizer there, `otherwise` if there is none."""
    file = folder / "tokenizer.json"
    if not file.is_file():
        return otherwise
    found = _pad_of(folder, file.stat().st_mtime_ns)
    return otherwise if found is None else found


@functools.lru_cache(maxsize=16)
def _pad_of(folder: Path, changed: int) -> int | None:  # noqa: ARG001
    """Cached for each file: SigLIP 2's has 256,000 tokens, and each part of a model asks for it."""
    return load_pretrained(str(folder)).special.get("pad")
