"""Published CLIP, SigLIP, SigLIP 2, CLAP and open_clip models, for use or further training."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args

from torch import nn

from weft.architectures.model import ModelConfig, PooledConfig, ProjectionConfig
from weft.core.config import Config
from weft.core.errors import WeftError, unknown_name
from weft.core.interfaces import ProjectionHead
from weft.encoders.clap import TOWERS, Clap
from weft.encoders.dual import read_weights, require_dual
from weft.encoders.dual_encoder import PROJECTION, DualEncoder
from weft.encoders.pretrained import PretrainedConfig
from weft.encoders.weights import load_tensors
from weft.hub import fetched

Tune = Literal["full", "lora", "locked_image", "locked_audio", "locked_text", "locked"]
"""Trainable parts of a published model: everything; adapters of both towers; all but one tower; all but both."""
_TOWERS: dict[str, Literal["vision", "text", "audio"]] = {"image": "vision", "text": "text"}


def published(name: str, tune: Tune = "full") -> ModelConfig:
    """Both towers of the model `name` and their projections. name: a folder, package:NAME or a hub name.

    Locked towers are not trained (LiT, Zhai et al. 2022, arXiv:2111.07991). Raises WeftError if the model is of
    another kind.
    """
    if tune not in get_args(Tune):
        raise unknown_name("value of tune", tune, get_args(Tune))
    dual = require_dual(name, fetched(name, weights=False))
    towers = streams_of(dual)
    locked = tune.removeprefix("locked_")
    if tune.startswith("locked_") and locked not in towers:
        raise WeftError(f"tune is '{tune}', but the streams of {name} are {' and '.join(towers)}")
    encoders: dict[str, Config[Any]] = {
        stream: PretrainedConfig(name, tower=tower, mode=_mode(tune, stream))
        for stream, tower in towers.items()
    }
    projections: dict[str, Config[ProjectionHead]] = {
        stream: PooledConfig()
        if dual.embedding is None
        else PublishedProjectionConfig(name, stream)
        for stream in towers
    }
    return ModelConfig(encoders, projections)


def streams_of(dual: DualEncoder | Clap) -> Mapping[str, Literal["vision", "text", "audio"]]:
    """Returns the names of its streams, with the name of each stream's tower in the model."""
    return TOWERS if isinstance(dual, Clap) else _TOWERS


def _mode(tune: Tune, stream: str) -> Literal["full", "lora", "frozen"]:
    if tune in ("locked", f"locked_{stream}"):
        return "frozen"
    return "lora" if tune == "lora" else "full"


@dataclass(frozen=True)
class PublishedProjectionConfig(Config[ProjectionHead]):
    """The projection of a published model from a tower into the common space.

    name: a folder, package:NAME or a hub name. stream: image, audio or text.
    """

    name: str
    stream: str

    def architecture(self) -> ProjectionConfig:
        return _projection(self.stream, require_dual(self.name, fetched(self.name, weights=False)))

    def build(self) -> ProjectionHead:
        folder = fetched(self.name, weights=True)
        dual = require_dual(self.name, folder)
        projection = cast(nn.Module, _projection(self.stream, dual).build())
        load_tensors(projection, _weights(dual, folder, self.stream), where=str(folder))
        return cast(ProjectionHead, projection)


def _projection(stream: str, dual: DualEncoder | Clap) -> ProjectionConfig:
    if isinstance(dual, Clap):
        width, hidden = dual.embedding, (dual.embedding,)
        return ProjectionConfig(
            dual.widths[stream], width, hidden, bias=True, activation=dual.activation
        )
    assert dual.embedding is not None
    width = dual.image.dim if stream == "image" else dual.text.dim
    return ProjectionConfig(width, dual.embedding)


def _weights(dual: DualEncoder | Clap, folder: Path, stream: str) -> dict[str, Any]:
    below = PROJECTION.format(stream).removesuffix("layers.0.weight")
    return read_weights(dual, folder, below)
