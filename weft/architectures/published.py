"""CLIP, SigLIP, SigLIP 2 and models of open_clip as they were published, to be used or trained further."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args

from torch import nn

from weft.architectures.model import ModelConfig, PooledConfig, ProjectionConfig
from weft.core.config import Config
from weft.core.errors import unknown_name
from weft.core.interfaces import ProjectionHead
from weft.encoders.dual import read_weights, require_dual
from weft.encoders.dual_encoder import PROJECTION, DualEncoder
from weft.encoders.pretrained import PretrainedConfig
from weft.encoders.weights import load_tensors
from weft.hub import fetched

Tune = Literal["full", "lora", "locked_image", "locked_text", "locked"]
"""What of a published model learns: everything; adapters of both towers; all but one tower; all but both."""
_TOWERS: dict[str, Literal["vision", "text"]] = {"image": "vision", "text": "text"}


def published(name: str, tune: Tune = "full") -> ModelConfig:
    """Both towers of the model `name` and their projections. name: a folder, package:NAME or a hub name.

    Locked towers never learn (LiT, Zhai et al. 2022, arXiv:2111.07991). Raises WeftError where the model is
    of another kind.
    """
    if tune not in get_args(Tune):
        raise unknown_name("value of tune", tune, get_args(Tune))
    dual = require_dual(name, fetched(name, weights=False))
    encoders: dict[str, Config[Any]] = {
        stream: PretrainedConfig(name, tower=tower, mode=_mode(tune, stream))
        for stream, tower in _TOWERS.items()
    }
    projections: dict[str, Config[ProjectionHead]] = {
        stream: PooledConfig()
        if dual.embedding is None
        else PublishedProjectionConfig(name, stream)
        for stream in _TOWERS
    }
    return ModelConfig(encoders, projections)


def _mode(tune: Tune, stream: str) -> Literal["full", "lora", "frozen"]:
    if tune in ("locked", f"locked_{stream}"):
        return "frozen"
    return "lora" if tune == "lora" else "full"


@dataclass(frozen=True)
class PublishedProjectionConfig(Config[ProjectionHead]):
    """The map of a published model from a tower into the common space.

    name: a folder, package:NAME or a hub name. stream: image or text.
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


def _projection(stream: str, dual: DualEncoder) -> ProjectionConfig:
    assert dual.embedding is not None
    width = dual.image.dim if stream == "image" else dual.text.dim
    return ProjectionConfig(width, dual.embedding)


def _weights(dual: DualEncoder, folder: Path, stream: str) -> dict[str, Any]:
    below = PROJECTION.format(stream).removesuffix("layers.0.weight")
    return read_weights(dual, folder, below)
