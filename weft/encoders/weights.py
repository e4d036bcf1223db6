"""Loads weights from safetensors files into encoders, and makes configs that no longer need those files."""

import dataclasses
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar, cast, runtime_checkable

import safetensors
from torch import Tensor, nn

from weft.core.config import Settings
from weft.core.documents import read_json
from weft.core.errors import WeftError
from weft.core.files import open_file
from weft.hub import is_open_clip

C = TypeVar("C", bound=Settings)
M = TypeVar("M", bound=nn.Module)
OPEN_CLIP_WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.safetensors")
PICKLES = (".bin", ".pt", ".pth", ".ckpt")
NAMED = 3  # number of keys that an error message lists


@runtime_checkable
class Sourced(Protocol):
    """A config that reads files when it builds."""

    def architecture(self) -> Settings:
        """Returns the same config without its sources: it builds the same modules, but reads no file."""
        ...


class WithWeights(Settings):
    """A config whose part can be initialised from the safetensors file in its setting `weights`."""

    weights: str | None

    def architecture(self) -> Self:
        """Returns the same config without the file."""
        return self.replace(weights=None)

    def filled(self, part: M, *, ignore: Sequence[str] = ()) -> M:
        """Loads the weights of the configured file, if any, into `part`; see `load_weights`."""
        if self.weights is not None:
            load_weights(part, self.weights, ignore=ignore)
        return part


def architecture(config: C) -> C:
    """Returns `config`, and every config inside it, without its sources.

    A run saves this beside its weights. `architecture(config).build()` and `load_state_dict` then restore the trained
    model on a machine without the files from which it started.
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

    Keys that start with one of `ignore` may be absent on either side. Raises WeftError with the file and the keys
    that are missing, unexpected or of another shape.
    """
    load_tensors(module, read_safetensors(path), where=str(path), ignore=ignore)


def load_tensors(
    module: nn.Module, tensors: Mapping[str, Tensor], *, where: str, ignore: Sequence[str] = ()
) -> None:
    """Copies `tensors` into `module`, all of them or none; see `load_weights`."""
    expected = module.state_dict()
    prefixes = tuple(ignore)
    given = {k: v for k, v in tensors.items() if k in expected or not k.startswith(prefixes)}
    # BatchNorm's batch counter is unused here, and older files lack it.
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


def read_safetensors(path: str | Path, wanted: Container[str] | None = None) -> dict[str, Tensor]:
    """The tensors of a safetensors file: all, or those named. Other formats are refused: a pickle can run code."""
    path = Path(path).expanduser()
    with _opened(path) as file:
        names = [n for n in file.keys() if wanted is None or n in wanted]  # noqa: SIM118
        return {name: file.get_tensor(name) for name in names}


def read_folder(folder: Path, wanted: Container[str] | None = None) -> dict[str, Tensor]:
    """The tensors of a model folder, in one file or sharded: all, or those named."""
    tensors: dict[str, Tensor] = {}
    for file in _files(folder):
        tensors |= read_safetensors(file, wanted)
    return tensors


def names_in(folder: Path) -> list[str]:
    """The names of the tensors of a model folder."""
    found: list[str] = []
    for file in _files(folder):
        with _opened(file) as opened:
            found += opened.keys()
    return found


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    if not path.is_file():
        raise WeftError(f"{path}: no such file, expected safetensors weights")
    try:
        open_file(path).close()  # refuses a pipe, at which safetensors would wait
        with safetensors.safe_open(path, framework="pt") as file:
            yield file
    except (safetensors.SafetensorError, OSError) as error:
        raise WeftError(f"{path}: is not a readable safetensors file: {error}") from None


def _files(folder: Path) -> list[Path]:
    """The safetensors files of a model in the layout of Hugging Face or of open_clip."""
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        try:
            files = {str(name) for name in read_json(index)["weight_map"].values()}
        except (KeyError, TypeError, AttributeError):
            raise WeftError(f"{index}: is not an index of safetensors files") from None
        return [folder / Path(file).name for file in sorted(files)]
    if is_open_clip(folder):
        for name in OPEN_CLIP_WEIGHTS:
            if (folder / name).is_file():
                return [folder / name]
    pickles = sorted(p.name for s in PICKLES for p in folder.glob(f"*{s}"))
    if pickles and not (folder / "model.safetensors").is_file():
        raise WeftError(
            f"{folder / pickles[0]}: is pickled, which can run code when opened; expected weights in a "
            "safetensors file"
        )
    return [folder / "model.safetensors"]


def _listed(keys: Sequence[str] | set[str]) -> str:
    names = sorted(keys)
    rest = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + rest
