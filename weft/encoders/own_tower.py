"""A tower of a pretrained model as a weft module, if weft has its architecture."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from weft.core.errors import WeftError
from weft.core.tensors import BuildLimits
from weft.encoders.convert import convert, convertible, own_config
from weft.encoders.dual import pad_id, read_dual, read_weights
from weft.encoders.read_tower import FILLED_UP, SOUNDS, refuse_unknown_text
from weft.encoders.transformer_text import TextTransformerConfig
from weft.encoders.vit import ViTConfig
from weft.encoders.weights import load_tensors, read_folder
from weft.hub import is_open_clip, loading, read_settings

_OPTIONAL = ("pooler.", "attention_pool.")
"""Parts that are left out if the pooling differs from the model's own."""


@dataclass(frozen=True)
class OwnTower:
    """Its config, and the function that reads its weights under weft's names."""

    config: TextTransformerConfig | ViTConfig
    read: Callable[[], dict[str, Tensor]]
    where: str

    def build(self, config: TextTransformerConfig | ViTConfig, *, weights: bool) -> nn.Module:
        """Builds the tower of `config`, whose pooling may differ, with its weights or random ones."""
        if not weights:
            return config.build()
        tensors = self.read()
        with BuildLimits(tensors):
            tower = config.build()
        own = tower.state_dict()
        kept = {k: t for k, t in tensors.items() if k in own or not k.startswith(_OPTIONAL)}
        load_tensors(tower, kept, where=self.where)
        return tower


def own_tower(name: str, folder: Path, tower: str) -> OwnTower | None:
    """Returns the tower of the model in `folder`; None if weft has no module with the same outputs.

    tower: auto, or for a model with two: vision or text. Raises WeftError if the model has no such tower.
    """
    dual = read_dual(name, folder)
    if dual is not None:
        _require_named(name, tower, ["text", "vision"])
        stream = "image" if tower == "vision" else "text"
        config = dual.image if tower == "vision" else dual.text
        start = f"encoders.{stream}."
        return OwnTower(config, lambda: read_weights(dual, folder, start), str(folder))
    settings, where = tower_settings(name, folder, tower), str(folder)
    with loading(name):
        if not convertible(settings):
            return None
        return OwnTower(
            own_config(settings), lambda: convert(read_folder(folder), settings, where), where
        )


def tower_settings(name: str, folder: Path, tower: str) -> dict[str, Any]:
    """Returns the full settings of one tower as JSON values."""
    if is_open_clip(folder):
        raise WeftError(f"{name}: is a model of open_clip with towers that weft lacks")
    settings = read_settings(name, folder)
    towers = {kind: settings.get(f"{kind}_config") for kind in ("text", "vision", "audio")}
    if not any(towers.values()):
        kind = "vision" if "num_channels" in settings else "text"
        kind = "audio" if settings["model_type"] in SOUNDS else kind
        if tower not in ("auto", kind):
            raise WeftError(f"{name}: is a {kind} tower, got tower '{tower}'")
        return settings
    _require_named(name, tower, [kind for kind, found in towers.items() if found])
    chosen = towers[tower]
    if not isinstance(chosen, dict):
        raise WeftError(f"{name}: has no {tower} tower")
    if tower == "text":
        refuse_unknown_text(name, settings["model_type"], chosen["model_type"])
    if chosen["model_type"] in FILLED_UP:
        # The tokenizer is more reliable than config.json, which often has only the default.
        chosen["pad_token_id"] = pad_id(folder, chosen["pad_token_id"])
    return chosen


def _require_named(name: str, tower: str, known: Sequence[str]) -> None:
    if tower == "auto":
        towers = " or ".join(f"'{one}'" for one in reversed(known))
        raise WeftError(f"{name}: has {len(known)} towers, expected tower {towers}, got 'auto'")
