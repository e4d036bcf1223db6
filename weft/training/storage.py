"""Files of a checkpoint: one safetensors file, or a folder with one safetensors file for each rank.

A sharded step is written as a folder, by torch.distributed.checkpoint in its safetensors format (its
other formats pickle). Both forms are written whole or not at all. Both can be read with any number of
ranks, into sharded and unsharded steps.
"""

import json
import shutil
import warnings
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from weft.core.distributed import barrier, rank, world_size
from weft.core.documents import read_mapping, write_checked
from weft.core.errors import WeftError, brief
from weft.core.files import open_file
from weft.core.tensors import read_state, read_tensors, write_tensors
from weft.training.distributed import all_strings
from weft.training.sharding import fill, is_sharded, local, tied

SUFFIX, STATE = ".safetensors", "state.json"
_CHUNK = 1 << 20


class Stored(Protocol):
    """An opened checkpoint. `tensors` have names, types and shapes; those of a folder have no values (device meta)."""

    tensors: Mapping[str, Tensor]
    state: dict[str, Any]

    def read_into(self, targets: Mapping[str, Tensor]) -> None:
        """Fills targets, sharded or not, with the tensors of the same names."""
        ...


def write(path: Path, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> Path:
    """Writes a file at `path` plus suffix, or a folder at `path` if tensors are sharded. Every rank must call it.

    Returns the path of the file or folder.
    """
    if any(is_sharded(tensor) for tensor in tensors.values()):
        _write_folder(path, tensors, state)
        return path
    file = path.with_name(path.name + SUFFIX)
    if rank() == 0:
        write_tensors(file, tensors, state)
    return file


def open_stored(path: Path) -> Stored:
    """Opens the checkpoint at `path`. Raises WeftError if it is no checkpoint, or incomplete."""
    return _Folder(path) if path.is_dir() else _File(path)


def state_of(path: Path) -> dict[str, Any]:
    """Reads only the state, without tensors. Raises WeftError if the checkpoint is incomplete."""
    return _read_state(path)[0] if path.is_dir() else read_state(path)


def remove(path: Path) -> None:
    """Removes a file or folder. A folder is first renamed to a leftover, since its removal may be killed midway."""
    if not path.is_dir():
        path.unlink(missing_ok=True)
        return
    hidden = path if path.name.startswith(".") else path.rename(_hidden(path))
    shutil.rmtree(hidden, ignore_errors=True)


class _File:
    def __init__(self, path: Path) -> None:
        self.tensors: Mapping[str, Tensor]
        self.tensors, self.state = read_tensors(path)

    def read_into(self, targets: Mapping[str, Tensor]) -> None:
        for name, target in targets.items():
            fill(target, self.tensors[name])


class _Folder:
    def __init__(self, path: Path) -> None:
        from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader

        self._path = path
        self.state, self._aliases, kept = _read_state(path)
        for name, now in _checksums(path).items() if kept else ():
            if kept.get(name) != now:
                raise WeftError(
                    f"{path / name}: is damaged: its checksum is {now}, expected {brief(kept.get(name))}"
                )
        found = HuggingFaceStorageReader(str(path)).read_metadata().state_dict_metadata
        tensors = {
            name: torch.empty(entry.size, dtype=entry.properties.dtype, device="meta")  # type: ignore[union-attr]
            for name, entry in found.items()
        }
        shared = {alias: tensors[name] for alias, name in self._aliases.items()}
        self.tensors: Mapping[str, Tensor] = {**tensors, **shared}

    def read_into(self, targets: Mapping[str, Tensor]) -> None:
        from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader
        from torch.distributed.checkpoint.state_dict_loader import load

        with warnings.catch_warnings():
            # On one process torch only warns that it assumes a single process.
            warnings.filterwarnings("ignore", "torch.distributed is disabled", UserWarning)
            reader = HuggingFaceStorageReader(str(self._path))
            own = {name: t for name, t in targets.items() if name not in self._aliases}
            load(own, storage_reader=reader)
        for alias, name in self._aliases.items():
            if alias in targets:
                local(targets[alias]).copy_(local(targets[name]))


def _write_folder(path: Path, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
    """Each rank writes its rows into a hidden folder; then rank 0 adds the state and renames it to `path`."""
    from torch.distributed.checkpoint.api import CheckpointException
    from torch.distributed.checkpoint.default_planner import DefaultSavePlanner
    from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageWriter
    from torch.distributed.checkpoint.state_dict_saver import save

    hidden = _hidden(path)
    if rank() == 0:
        shutil.rmtree(hidden, ignore_errors=True)
    barrier()
    aliases: dict[str, str] = json.loads(all_strings([json.dumps(tied(tensors))])[0])
    try:
        save(
            {name: t.detach() for name, t in tensors.items() if name not in aliases},
            storage_writer=HuggingFaceStorageWriter(str(hidden), save_distributed=True),
            # Of tensors that every rank holds, rank 0's copy is written, as under DDP.
            planner=DefaultSavePlanner(dedup_save_to_lowest_rank=True),
        )
    except CheckpointException as error:
        reasons = {" ".join(str(failure[0]).split()) for failure in error.failures.values()}
        raise WeftError(f"{path}: cannot be written: {'; '.join(sorted(reasons))}") from None
    checksums = _checksums(hidden)
    if rank() == 0:
        sizes = {file.name: file.stat().st_size for file in sorted(hidden.glob(f"*{SUFFIX}"))}
        written = {"ranks": world_size(), "files": sizes, "aliases": aliases, "state": state}
        write_checked(hidden / STATE, {**written, "checksums": checksums})
        if path.exists():  # written before the run was resumed from an earlier step
            shutil.rmtree(path)
        hidden.rename(path)
    barrier()


def _checksums(folder: Path) -> dict[str, str]:
    """Name of each safetensors file -> checksum of its bytes. Each rank reads some of the files."""
    names = sorted(file.name for file in folder.glob(f"*{SUFFIX}"))
    own = {name: _checksum(folder / name) for name in names[rank() :: world_size()]}
    found: dict[str, str] = {}
    for part in all_strings([json.dumps(own)]):
        found |= json.loads(part)
    return found


def _checksum(path: Path) -> str:
    value = 0
    try:
        with open_file(path) as file:
            while data := file.read(_CHUNK):
                value = zlib.crc32(data, value)
    except OSError as error:
        return f"unreadable: {error.strerror}"
    return f"crc32:{value:08x}"


def _hidden(path: Path) -> Path:
    return path.with_name(f".{path.name}.tmp")


def _read_state(path: Path) -> tuple[dict[str, Any], dict[str, str], dict[str, str]]:
    """Returns the state, the names of tied tensors and the checksums of the files. Older folders have no checksums.

    Raises WeftError if a file is missing, truncated or no safetensors file.
    """
    try:
        written = read_mapping(path / STATE)
        sizes = {str(name): int(size) for name, size in written["files"].items()}
        state, aliases = written["state"], dict(written["aliases"])
        checksums = dict(written.get("checksums", {}))
        if not sizes or not isinstance(state, dict):
            raise ValueError("it names no files")
    except (WeftError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeftError(f"{path}: is not a complete checkpoint: {STATE}: {error}") from None
    for name, size in sizes.items():
        file = path / Path(name).name
        if not file.is_file() or file.stat().st_size != size:
            raise WeftError(f"{file}: is missing or cut off, expected {size} bytes")
        try:
            with safe_open(file, framework="pt"):
                pass
        except SafetensorError as error:
            raise WeftError(f"{file}: is not a safetensors file ({error})") from None
    return state, aliases, checksums
