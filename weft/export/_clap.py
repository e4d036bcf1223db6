"""CLAP for Hugging Face transformers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import nn

from weft.architectures.model import Projection
from weft.core.errors import WeftError
from weft.encoders.clap import TOWERS, of_settings
from weft.encoders.hugging_face import HuggingFaceTower
from weft.encoders.renaming import write as renamed
from weft.export._files import write_json, write_tokenizer
from weft.export._model import Exported
from weft.hub import quiet
from weft.modalities.audio import Audio
from weft.modalities.published_media import clap_extractor


def write_clap(model: Exported, folder: Path) -> Sequence[str]:
    """Writes config.json, model.safetensors, the tokenizer and preprocessor_config.json.

    Raises WeftError if the run has other parts than CLAP.
    """
    from transformers import ClapConfig, ClapModel

    towers = {stream: _tower(model, stream) for stream in TOWERS}
    configs = {f"{TOWERS[s]}_config": tower.model.config.to_dict() for s, tower in towers.items()}  # type: ignore[union-attr, operator]
    width = _width(model)
    config = ClapConfig(**configs, projection_dim=width)
    parts = of_settings(config.to_dict())
    if parts is None:
        raise WeftError("transformers' CLAP has no projections of this kind")
    with quiet():
        made: Any = ClapModel(config)
        state = renamed(parts.rules, model.tensors)
        for stream, tower in TOWERS.items():
            start = f"encoders.{stream}.model."
            state |= {
                f"{tower}_model.{name.removeprefix(start)}": tensor
                for name, tensor in model.tensors.items()
                if name.startswith(start)
            }
        made.load_state_dict(state)
        made.save_pretrained(folder)
    write_tokenizer(model, folder)
    sound = model.modalities["audio"]
    assert isinstance(sound, Audio)
    write_json(folder / "preprocessor_config.json", clap_extractor(sound.config))
    return []


def _tower(model: Exported, stream: str) -> HuggingFaceTower:
    tower, kind = model.towers.get(stream), f"clap_{TOWERS[stream]}_model"
    if isinstance(tower, HuggingFaceTower):
        own: Any = tower.model.config
        if own.model_type == kind:
            return tower
    has = "none" if tower is None else f"a {type(tower).__name__}"
    raise WeftError(
        f"transformers' CLAP holds its own tower for stream '{stream}', this run has {has}"
    )


def _width(model: Exported) -> int:
    for stream in TOWERS:
        projection = model.projections.get(stream)
        linear = (
            [layer for layer in projection.layers if isinstance(layer, nn.Linear)]
            if isinstance(projection, Projection)
            else []
        )
        if (
            len(linear) != 2
            or linear[1].bias is None
            or linear[0].out_features != linear[1].out_features
        ):
            raise WeftError(
                f"transformers' CLAP has two linear maps for the projection of stream '{stream}', this run has another"
            )
    return linear[1].out_features
