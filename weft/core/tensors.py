"""Weights in files: safetensors with one JSON value beside the tensors.

Nothing is pickled, so a file cannot run code. The file holds a checksum of all tensors and of the JSON value, which
is checked when it is read. Older files without a checksum are read without this check.
"""

import json
import math
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from weft.core.documents import CHECKSUM, parse_json
from weft.core.errors import WeftError
from weft.core.files import atomic_path, open_file

M = TypeVar("M", bound=nn.Module)
_KEY = "weft"
LEARNED = "learned"
"""Key in the JSON value of weights: the checksum of the tokenizers and classes with which they were trained."""
NUMBERS = "numbers"
"""Key in the JSON value of weights: numbers that the objectives learned, such as a temperature, by name."""


def save_model(path: Path, model: nn.Module) -> None:
    """Writes only the weights of the model, atomically."""
    write_tensors(path, dict(model.state_dict()), {})


def load_built(path: Path, build: Callable[[], M], described_by: Path) -> M:
    """Calls `build` and loads the weights of `path` into the module.

    The file that `build` reads (`described_by`) may ask for more memory than there is, so building is stopped if it
    makes far more or far larger tensors than there are weights. Raises WeftError in this case, if the weights do
    not fit, and if the module cannot be built.
    """
    tensors, _ = read_tensors(path)
    try:
        with BuildLimits(tensors):
            module = build()
    except WeftError:
        raise
    except Exception as error:  # a part may raise any error for invalid settings
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise WeftError(f"{described_by}: describes no model: {lines[0]}") from error
    _fill(path, module, tensors)
    return module


class BuildLimits(TorchFunctionMode):
    """Within it, more parameters or elements than the weights in a file could fill raise ValueError."""

    _SIZED = (torch.empty, torch.zeros, torch.ones, torch.full, torch.randn, torch.rand)

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        self._parameters = 10 * len(tensors) + 1000
        # Leaves room for tensors that are not saved with the weights, such as an attention mask (T, T).
        self._elements = 4 * sum(tensor.numel() for tensor in tensors.values()) + 2**26

    def __enter__(self) -> "BuildLimits":
        register = nn.modules.module.register_module_parameter_registration_hook
        self._hook = register(self._count)
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)  # type: ignore[no-untyped-call]
        self._hook.remove()

    def _count(self, *_: Any) -> None:
        self._parameters -= 1
        if self._parameters < 0:
            raise ValueError("it has many more parameters than its weights")

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in self._SIZED:
            size = args[0] if args and not isinstance(args[0], int) else args
            self._elements -= math.prod(kwargs.get("size", size))
            if self._elements < 0:
                raise ValueError("it is many times larger than its weights")
        return func(*args, **kwargs)


def _fill(path: Path, model: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    check_same(path, model.state_dict(), tensors)
    model.load_state_dict(tensors)


def write_tensors(path: Path, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
    """Writes tensors and a JSON value to one safetensors file. Equal content gives equal bytes."""
    own, aliases = _without_sharing(tensors)
    described = json.loads(json.dumps({"aliases": aliases, **state}))
    # Only one metadata key: safetensors does not keep the order of several keys.
    metadata = {
        _KEY: json.dumps({**described, CHECKSUM: _checksum(own, described)}, sort_keys=True)
    }
    with atomic_path(path) as temporary:
        try:
            save_file(own, temporary, metadata)
        except SafetensorError as error:
            raise WeftError(f"{path}: cannot be written: {error}") from None


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Reads a file of `write_tensors`. Raises WeftError if the file is anything else, or was changed."""
    state = read_state(path)
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise WeftError(f"{path}: cannot be read: {error}") from None
    kept = state.pop(CHECKSUM, None)
    if kept is not None and kept != _checksum(tensors, state):
        raise WeftError(
            f"{path}: is damaged: its checksum is not {kept}, the checksum at the time of writing"
        )
    try:
        tensors |= {alias: tensors[name] for alias, name in state.pop("aliases").items()}
    except (KeyError, AttributeError, TypeError):
        raise WeftError(f"{path}: is not a file of weft: its tied tensors are unknown") from None
    return tensors, state


def read_state(path: Path) -> dict[str, Any]:
    """Reads the JSON value alone; checks that the file is complete."""
    try:
        open_file(path).close()  # refuses a pipe, on which safetensors would block
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
    except FileNotFoundError:
        raise WeftError(f"{path}: no such file") from None
    except OSError as error:
        raise WeftError(f"{path}: cannot be read: {error.strerror or error}") from None
    except SafetensorError as error:
        raise WeftError(f"{path}: {_why_not(path, error)}") from None
    state = parse_json(metadata[_KEY], str(path)) if _KEY in metadata else None
    if not isinstance(state, dict):
        raise WeftError(f"{path}: is safetensors, but was not written by weft's training")
    return state


def checksum_of(path: Path) -> str | None:
    """The checksum in a file of `write_tensors`, which identifies its content; None in older files."""
    kept = read_state(path).get(CHECKSUM)
    return kept if isinstance(kept, str) else None


def _checksum(tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> str:
    """CRC-32 of names, types, shapes, values and state: any damage of up to 32 bits changes it."""
    found = zlib.crc32(json.dumps(state, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name].cpu().contiguous()
        found = zlib.crc32(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode(), found)
        found = zlib.crc32(tensor.reshape(-1).view(torch.uint8).numpy().data, found)
    return f"crc32:{found:08x}"


def _why_not(path: Path, error: SafetensorError) -> str:
    """The error for a file that is not safetensors. A valid file may begin with any byte, since the first bytes are
    a size.
    """
    with path.open("rb") as raw:
        start = raw.read(2)
    if start[:1] == b"\x80" or start == b"PK":
        return (
            "is a pickle or torch.save file, which can run code when opened; expected safetensors"
        )
    return f"is cut off or not a safetensors file ({error})"


def _without_sharing(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Each tied tensor once, and alias -> name for the others; views are copied."""
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
