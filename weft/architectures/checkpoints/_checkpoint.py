"""What became of a published model."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from weft.architectures.model import Model, ModelConfig
from weft.core import config as configs
from weft.core.tensors import save_model
from weft.encoders.convert import Settings
from weft.encoders.weights import load_tensors


@dataclass(frozen=True)
class Checkpoint:
    """A published model as ours.

    config: the model's parts. tensors: their weights. where: the folder that they came from. heads:
    weights of heads that only training needs, by the name of the objective. answers: what the
    logits of the decoder "answer" mean, in order.
    """

    config: ModelConfig
    tensors: Mapping[str, Tensor]
    where: Path
    heads: Mapping[str, Mapping[str, Tensor]] = field(default_factory=dict)
    answers: tuple[str, ...] = ()

    def build(self) -> Model:
        """The model with its weights. Raises WeftError where they do not fit."""
        model = self.config.build()
        load_tensors(model, self.tensors, where=str(self.where))
        return model

    def save(self, folder: Path) -> None:
        """Writes model.json and model.safetensors, from which training can start (`init`)."""
        model = self.build()
        folder.mkdir(parents=True, exist_ok=True)
        configs.save(self.config, folder / "model.json")
        save_model(folder / "model.safetensors", model)


def answers_of(settings: Settings) -> tuple[str, ...]:
    """The names of the classes in order."""
    return tuple(name for _, name in sorted((int(k), v) for k, v in settings["id2label"].items()))


def below_parts(tensors: Mapping[str, Tensor], part: str) -> dict[str, Tensor]:
    """The tensors with the name of the model's part before theirs."""
    return {f"{part}.{name}": tensor for name, tensor in tensors.items()}
