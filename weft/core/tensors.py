"""Weights in files: safetensors with one JSON value beside the tensors.

Nothing is pickled, so nothing in a file can run.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from weft.core.errors import WeftError
from weft.core.files import atomic_path, open_file

_KEY = "weft"


def save_model(path: Path, model: nn.Module) -> None:
    """Writes the weights alone, atomically."""
    write_tensors(path, dict(model.state_dict()), {})


def load_model(path: Path, model: nn.Module) -> None:
    """Reads weights that `save_model` wrote. Raises WeftError where they do not fit the model."""
    tensors, _ = read_tensors(path)
    check_same(path, model.state_dict(), tensors)
    model.load_state_dict(tensors)


def write_tensors(path: Path, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
    """Tensors and a JSON value in one safetensors file; equal content gives equal bytes."""
    own, aliases = _without_sharing(tensors)
    # One metadata key only: safetensors does not keep the order of several.
    metadata = {_KEY: json.dumps({"aliases": aliases, **state}, sort_keys=True)}
    with atomic_path(path) as temporary:
        try:
            save_file(own, temporary, metadata)
        except SafetensorError as error:
            raise WeftError(f"{path}: cannot be written: {error}") from None


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """What `write_tensors` wrote. Raises WeftError if the file is anything else."""
    state = read_state(path)
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    try:
        tensors |= {alias: tensors[name] for alias, name in state.pop("aliases").items()}
    except (KeyError, AttributeError, TypeError):
        raise WeftError(f"{path}: is not a file of weft: its tied tensors are unknown") from None
    return tensors, state


def read_state(path: Path) -> dict[str, Any]:
    """The JSON value alone; checks that the file is whole."""
    try:
        open_file(path).close()  # not a pipe, at which safetensors would wait
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
    except FileNotFoundError:
        raise WeftError(f"{path}: no such file") from None
    except OSError as error:
        raise WeftError(f"{path}: cannot be read: {error.strerror or error}") from None
    except SafetensorError as error:
        raise WeftError(f"{path}: {_why_not(path, error)}") from None
    try:
        state = json.loads(metadata[_KEY])
    except (KeyError, ValueError, RecursionError):
        state = None
    if not isinstance(state, dict):
        raise WeftError(f"{path}: is safetensors, but was not written by weft's training")
    return state


def _why_not(path: Path, error: SafetensorError) -> str:
    """Only of a file that is no safetensors: a good one may begin with any byte, its header's size."""
    with path.open("rb") as raw:
        start = raw.read(2)
    if start[:1] == b"\x80" or start == b"PK":
        return (
            "is a pickle or torch.save file, which can run code when opened; expected safetensors"
        )
    return f"is cut off or not a safetensors file ({error})"


def _without_sharing(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Each tied tensor once, and alias -> name for the others; views get memory of their own."""
    own: dict[str, Tensor] = {}
    aliases: dict[str, str] = {}
    names: dict[tuple[Any, ...], str] = {}
    for name, live in tensors.items():
        tensor = live.detach()
        key = (tensor.device, tensor.data_ptr(), tensor.dtype, tensor.shape, tensor.stride())
        if tensor.numel() and key in names:
            aliases[name] = names[key]
            continue
        names[key] = name
        whole = tensor.untyped_storage().nbytes() == tensor.numel() * tensor.element_size()
        own[name] = tensor if whole and tensor.is_contiguous() else tensor.contiguous().clone()
    return own, aliases


def check_same(path: Path, expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> None:
    """Raises WeftError unless both have the same names, types and shapes."""
    problems = [f"{name} is missing" for name in expected if name not in found]
    problems += [f"{name} is unexpected" for name in found if name not in expected]
    problems += [
        f"{name} is {found[name].dtype} {tuple(found[name].shape)}, "
        f"expected {tensor.dtype} {tuple(tensor.shape)}"
        for name, tensor in expected.items()
        if name in found and (found[name].dtype, found[name].shape) != (tensor.dtype, tensor.shape)
    ]
    if problems:
        more = f" and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise WeftError(f"{path}: is of another recipe: {'; '.join(problems[:3])}{more}")
