"""Published models as weft models. Each module is one architecture of Hugging Face transformers.

A module has MODEL_TYPE, the `model_type` of config.json, and `convert(tensors, settings, source)`. A new file adds an
architecture: `checkpoints()` finds it.
"""

import importlib
import pkgutil
from collections.abc import Mapping
from typing import Protocol, cast

from torch import Tensor

from weft.architectures.checkpoints._checkpoint import Checkpoint, Source
from weft.core.errors import WeftError
from weft.encoders.convert import ACTIVATIONS
from weft.encoders.weight_names import Settings
from weft.encoders.weights import read_folder
from weft.hub import fetched, loading, read_settings

__all__ = ["Architecture", "Checkpoint", "Source", "checkpoints", "read_checkpoint"]


class Architecture(Protocol):
    """The interface of a module in this folder."""

    MODEL_TYPE: str

    def convert(
        self, tensors: Mapping[str, Tensor], settings: Settings, source: Source
    ) -> Checkpoint:
        """Converts the model. Raises KeyError for a missing tensor."""
        ...


def checkpoints() -> dict[str, Architecture]:
    """Returns all supported architectures by their model_type."""
    modules = (
        cast(Architecture, importlib.import_module(f"{__name__}.{info.name}"))
        for info in pkgutil.iter_modules(__path__)
        if not info.name.startswith("_")
    )
    return {module.MODEL_TYPE: module for module in modules}


def read_checkpoint(name: str, *, text: str = "text") -> Checkpoint:
    """Reads the model `name`: a folder with config.json and safetensors, package:NAME or a hub name.

    text: name of the text stream, such as "question"; the other stream is "image". Nothing is unpickled. Raises
    WeftError if the model cannot be read or is of another kind.
    """
    folder = fetched(name, weights=True)
    settings = read_settings(name, folder)
    kind, known = settings["model_type"], checkpoints()
    if kind not in known:
        raise WeftError(f"{name}: is a '{kind}' model, expected one of: {', '.join(sorted(known))}")
    with loading(name):
        for activation in _activations(settings):
            if activation not in ACTIVATIONS:
                raise WeftError(
                    f"{name}: has activation '{activation}', which weft does not support"
                )
        try:
            return known[kind].convert(read_folder(folder), settings, Source(folder, text))
        except KeyError as error:
            raise WeftError(
                f"{name}: has no tensor {error}, which a '{kind}' model needs"
            ) from None


def _activations(settings: Settings) -> list[str]:
    """Returns the activations of the model, or of its towers if it has some."""
    towers = [settings.get(f"{kind}_config") for kind in ("text", "vision")]
    return [part["hidden_act"] for part in (towers if any(towers) else [settings]) if part]
