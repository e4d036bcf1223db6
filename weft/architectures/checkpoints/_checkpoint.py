"""A converted model, and functions that its architectures share."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from weft.architectures.model import Model, ModelConfig
from weft.core import config as configs
from weft.core.tensors import save_model
from weft.encoders.weight_names import Settings, layer
from weft.encoders.weights import load_tensors

MODEL, WEIGHTS = "model.json", "model.safetensors"
"""Files that a saved checkpoint shares with a run."""


@dataclass(frozen=True)
class Source:
    """Where a model is read from, and the name of its text stream."""

    folder: Path
    text: str


@dataclass(frozen=True)
class Checkpoint:
    """A published model as a weft model.

    config: the model's parts. tensors: their weights. folder: their source. language_head: weights for an objective
    of masked language modelling, if the model has them.
    """

    config: ModelConfig
    tensors: Mapping[str, Tensor]
    folder: Path
    language_head: Mapping[str, Tensor] = field(default_factory=dict)

    def build(self) -> Model:
        """Builds the model with its weights. Raises WeftError if they do not fit."""
        model = self.config.build()
        load_tensors(model, self.tensors, where=str(self.folder))
        return model

    def save(self, folder: Path) -> None:
        """Writes model.json and model.safetensors, from which training can start (`init`)."""
        model = self.build()
        folder.mkdir(parents=True, exist_ok=True)
        configs.save(self.config, folder / MODEL, checked=True)
        save_model(folder / WEIGHTS, model)


def answers_of(settings: Settings) -> tuple[str, ...]:
    """The names of the classes in order."""
    return tuple(name for _, name in sorted((int(k), v) for k, v in settings["id2label"].items()))


def inside(part: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Returns the tensors of that part of the model, under their full names."""
    return {f"{part}.{name}": tensor for name, tensor in tensors.items()}


def language_head(tensors: Mapping[str, Tensor], head: str) -> dict[str, Tensor]:
    """Returns a BERT-like language head below the name `head`, tied to the word embeddings; empty if there is none."""
    if f"{head}.transform.dense.weight" not in tensors:
        return {}
    # The bias is beside the last map in some files, in it in others, and in both places in many.
    bias = f"{head}.decoder.bias" if f"{head}.decoder.bias" in tensors else f"{head}.bias"
    return {
        **layer(tensors, f"{head}.transform.dense", "head.dense"),
        **layer(tensors, f"{head}.transform.LayerNorm", "head.norm"),
        "bias": tensors[bias],
    }
