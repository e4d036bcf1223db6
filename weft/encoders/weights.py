"""Weights from safetensors files into encoders, and configs that no longer need those files."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast, runtime_checkable

import safetensors
from safetensors import torch as safetensors_torch
from torch import Tensor, nn

from weft.core.config import Settings
from weft.core.documents import read_json
from weft.core.errors import WeftError
from weft.core.files import open_file

C = TypeVar("C", bound=Settings)
NAMED = 3  # keys that an error message lists


@runtime_checkable
class Sourced(Protocol):
    """A config that reads files when it builds."""

    def architecture(self) -> Settings:
        """The same config without its sources: builds the same modules, reads no file."""
        ...


def architecture(config: C) -> C:
    """`config`, and every config inside it, without its sources.

    A run saves this beside its weights: `architecture(config).build()` and `load_state_dict` give
    the trained model back on a machine that has none of the files it was started from.
    """
    stripped = cast(C, config.architecture()) if isinstance(config, Sourced) else config
    changes = {
        field.name: _strip(getattr(stripped, field.name))
        for field in dataclasses.fields(stripped)
        if field.init
    }
    return stripped.replace(**changes)


def _strip(value: Any) -> Any:
    if isinstance(value, Settings):
        return architecture(value)
    if isinstance(value, dict):
        return {key: _strip(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return tuple(_strip(item) for item in value)
    return value


def load_weights(module: nn.Module, path: str | Path, *, ignore: Sequence[str] = ()) -> None:
    """Loads the safetensors file at `path` into `module`.

    Keys that start with one of `ignore` may be absent on either side. Raises WeftError that names
    the file and the keys that are missing, unexpected or of another shape.
    """
    load_tensors(module, read_safetensors(path), where=str(path), ignore=ignore)


def load_tensors(
    module: nn.Module, tensors: Mapping[str, Tensor], *, where: str, ignore: Sequence[str] = ()
) -> None:
    """Copies `tensors` into `module`, all of them or none; see `load_weights`."""
    expected = module.state_dict()
    prefixes = tuple(ignore)
    given = {k: v for k, v in tensors.items() if k in expected or not k.startswith(prefixes)}
    # BatchNorm's counter of batches steers nothing here, and older files lack it.
    missing = [
        key
        for key in expected.keys() - given.keys()
        if not key.endswith("num_batches_tracked") and not key.startswith(prefixes)
    ]
    extra = given.keys() - expected.keys()
    wrong = [
        f"{key} {tuple(given[key].shape)} (expected {tuple(expected[key].shape)})"
        for key in expected.keys() & given.keys()
        if given[key].shape != expected[key].shape
    ]
    problems = [
        f"{len(keys)} {what}: {_listed(keys)}"
        for what, keys in (("missing", missing), ("unexpected", extra), ("of other shape", wrong))
        if keys
    ]
    if problems:
        raise WeftError(f"{where}: does not fit {type(module).__name__}: {'; '.join(problems)}")
    module.load_state_dict(given, strict=False)


def read_safetensors(path: str | Path) -> dict[str, Tensor]:
    """All tensors of a safetensors file. Other formats are refused: a pickle can run code."""
    path = Path(path).expanduser()
    if not path.is_file():
        raise WeftError(f"{path}: no such file, expected safetensors weights")
    try:
        open_file(path).close()  # not a pipe, at which safetensors would wait
        return safetensors_torch.load_file(path)
    except (safetensors.SafetensorError, OSError) as error:
        raise WeftError(f"{path}: is not a readable safetensors file: {error}") from None


def read_folder(folder: Path) -> dict[str, Tensor]:
    """All tensors of a model folder in the layout of Hugging Face, in one file or sharded."""
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return read_safetensors(folder / "model.safetensors")
    try:
        files = {str(name) for name in read_json(index)["weight_map"].values()}
    except (KeyError, TypeError, AttributeError):
        raise WeftError(f"{index}: is not an index of safetensors files") from None
    tensors: dict[str, Tensor] = {}
    for file in sorted(files):
        tensors |= read_safetensors(folder / Path(file).name)
    return tensors


def _listed(keys: Sequence[str] | set[str]) -> str:
    names = sorted(keys)
    rest = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + rest
