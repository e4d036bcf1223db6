"""Chunks of a feature cache: safetensors files that stay on disk and are read row by row.

A chunk holds `pooled` (N, D). If entries have tokens other than that one vector, it also holds `tokens` (S, E) and
`lengths` (N,). Values are stored in half precision where it can represent them. The metadata holds the N keys.
"""

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from weft.core.errors import WeftError
from weft.core.files import open_file
from weft.core.records import Features
from weft.core.tensors import read_state, read_tensors, write_tensors

log = logging.getLogger("weft.data")
_TYPES: dict[str, np.dtype[Any]] = {
    "F16": np.dtype("<f2"),
    "F32": np.dtype("<f4"),
    "I64": np.dtype("<i8"),
}


class Chunk:
    """One file. Raises WeftError if its layout is not that of `write_chunk`. Values are not checked."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.keys: list[str] = list(read_state(path)["keys"])
            arrays = _mapped(path)
            self.pooled, self.tokens = arrays["pooled"], arrays.get("tokens")
            lengths = arrays.get("lengths")
            if not all(isinstance(key, str) for key in self.keys):
                raise ValueError("its keys are no strings")
            if self.pooled.ndim != 2 or len(self.pooled) != len(self.keys):
                raise ValueError(f"{self.pooled.shape} vectors for {len(self.keys)} keys")
            if (self.tokens is None) != (lengths is None):
                raise ValueError("it has tokens or lengths without the other")
            self.lengths = np.ones(len(self.keys), np.int64) if lengths is None else lengths.copy()
            self._check_lengths()
        except (WeftError, OSError, KeyError, TypeError, ValueError) as error:
            raise WeftError(f"{path}: is not a chunk of a feature cache ({error})") from None
        self.starts = self.lengths.cumsum() - self.lengths

    def _check_lengths(self) -> None:
        if self.lengths.shape != (len(self.keys),) or self.lengths.min(initial=0) < 0:
            raise ValueError("its lengths do not fit its keys")
        if self.tokens is not None and (
            self.tokens.ndim != 2 or int(self.lengths.sum()) != len(self.tokens)
        ):
            raise ValueError("its lengths do not fit its tokens")

    def tokens_of(self, place: int) -> np.ndarray:
        """Returns (T, E) of the entry at `place`."""
        if self.tokens is None:
            return self.pooled[place : place + 1]
        start = self.starts[place]
        return self.tokens[start : start + self.lengths[place]]


class FeatureStore:
    """The requested entries of a cache folder, which stay on disk."""

    def __init__(self, folder: Path, wanted: Set[str]) -> None:
        self.keys: list[str] = []
        self._chunks: list[Chunk] = []
        places: list[np.ndarray] = []
        seen: set[str] = set()
        for path in chunk_files(folder):
            chunk = Chunk(path)
            use = [n for n, key in enumerate(chunk.keys) if key in wanted and key not in seen]
            if use:
                self.keys += [chunk.keys[n] for n in use]
                seen |= {chunk.keys[n] for n in use}
                places.append(np.array([[len(self._chunks), n] for n in use]))
                self._chunks.append(chunk)
        if not self.keys:
            raise WeftError(f"{folder}: no row of this stream could be encoded")
        self._places = np.concatenate(places)
        widths = {(chunk.pooled.shape[1], chunk.tokens_of(0).shape[1]) for chunk in self._chunks}
        if len(widths) > 1:
            raise WeftError(f"{folder}: its chunks hold vectors of several widths, {widths}")
        ((self._dim, self._token_dim),) = widths

    def features(self, numbers: Sequence[int]) -> Features:
        """Returns the Features of these entries in fp32, padded to the longest.

        Raises WeftError if a value is NaN or infinite.
        """
        chosen = self._places[np.asarray(numbers)]
        lengths = torch.empty(len(chosen), dtype=torch.int64)
        pooled = torch.empty(len(chosen), self._dim)
        for number in np.unique(chosen[:, 0]).tolist():
            chunk, rows = self._chunks[number], np.flatnonzero(chosen[:, 0] == number)
            places = chosen[rows, 1]
            index = torch.from_numpy(rows)
            pooled[index] = _checked(chunk, chunk.pooled[places])
            lengths[index] = torch.from_numpy(chunk.lengths[places])
        mask = torch.arange(int(lengths.max())) < lengths[:, None]
        if all(chunk.tokens is None for chunk in self._chunks):
            return Features(pooled[:, None], mask, pooled)
        tokens = torch.zeros(*mask.shape, self._token_dim)
        for row, (number, place) in enumerate(chosen.tolist()):
            chunk = self._chunks[number]
            tokens[row, : lengths[row]] = _checked(chunk, chunk.tokens_of(place))
        return Features(tokens, mask, pooled)


def usable_keys(folder: Path, wanted: Set[str]) -> set[str]:
    """Returns the keys of all chunks. A damaged chunk is removed, so that it is computed again.

    The values of a chunk with a wanted key are read once to compare the checksum.
    """
    found: set[str] = set()
    for path in chunk_files(folder):
        try:
            keys = set(Chunk(path).keys)
            if not keys.isdisjoint(wanted):
                read_tensors(path)
            found |= keys
        except WeftError as error:
            log.warning("%s; its features are computed again", error)
            path.unlink(missing_ok=True)
    return found


def chunk_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.safetensors"))


def write_chunk(folder: Path, keys: Sequence[str], parts: Sequence[Features]) -> None:
    """Writes a chunk in half precision, except values that it cannot represent. Raises WeftError for NaN and
    infinity."""
    lengths = torch.cat([part.mask.sum(1) for part in parts])
    pooled = _halved(torch.cat([part.pooled for part in parts]))
    tokens = _halved(torch.cat([part.tokens[part.mask] for part in parts]))
    tensors = {"pooled": pooled}
    if not (bool((lengths == 1).all()) and torch.equal(tokens, pooled)):
        tensors |= {"tokens": tokens, "lengths": lengths}
    if not all(bool(tensor.isfinite().all()) for tensor in tensors.values()):
        raise WeftError(f"{folder}: a frozen encoder gave features that are not finite numbers")
    name = hashlib.blake2b("".join(keys).encode(), digest_size=16).hexdigest()
    write_tensors(folder / f"{name}.safetensors", tensors, {"keys": list(keys)})


def _halved(values: Tensor) -> Tensor:
    half = values.half()
    return half if bool(half.isfinite().all()) else values.float()


def _checked(chunk: Chunk, values: np.ndarray) -> Tensor:
    found = torch.from_numpy(values.astype(np.float32))
    if not bool(found.isfinite().all()):
        raise WeftError(
            f"{chunk.path}: holds values that are not numbers; delete it to have them computed again"
        )
    return found


def _mapped(path: Path) -> dict[str, np.ndarray]:
    """Maps the arrays of a file into memory, so that only requested values are read from disk.

    The safetensors format: 8 bytes with the header's length, the header as JSON, the tensors. The caller has already
    checked that the file is complete.
    """
    with open_file(path) as file:
        length = int.from_bytes(file.read(8), "little")
        header: Mapping[str, Any] = json.loads(file.read(length))
    arrays: dict[str, np.ndarray] = {}
    for name, told in header.items():
        if name != "__metadata__":
            if told["dtype"] not in _TYPES:
                raise ValueError(f"its {name} are {told['dtype']}")
            offset, shape = 8 + length + told["data_offsets"][0], tuple(told["shape"])
            dtype = _TYPES[told["dtype"]]
            empty = 0 in shape
            arrays[name] = (
                np.empty(shape, dtype)
                if empty
                else np.memmap(path, dtype, mode="r", offset=offset, shape=shape)
            )
    return arrays
