"""A file of arrays that are derived from an index and can be computed again at any time.

A header of fixed size describes the arrays and their positions in JSON. The header and each array have a CRC-32.
Arrays are memory-mapped, not read. A damaged file, or one of another content, is ignored.
"""

import json
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from weft.core.files import atomic_path

MAGIC = b"WEFTIDX2"
HEADER = 4096
"""Bytes of the header."""
ALIGNED = 64
CHUNK = 1 << 24
Shapes = Mapping[str, tuple[str, tuple[int, ...]]]
"""Name of an array -> its type, in NumPy's short form such as <f4, and its shape."""


@contextmanager
def written(
    path: Path, about: Mapping[str, Any], shapes: Shapes
) -> Iterator[dict[str, np.ndarray]]:
    """Yields arrays to fill; the file is complete once they are filled. Raises WeftError if it cannot be written."""
    with atomic_path(path) as temporary:
        start, places = HEADER, {}
        for name, (kind, shape) in shapes.items():
            places[name] = start
            size = np.dtype(kind).itemsize * int(np.prod(shape))
            start += -(-size // ALIGNED) * ALIGNED
        with temporary.open("wb") as file:
            file.truncate(start)
        arrays = {
            name: _mapped(temporary, kind, shape, places[name], "r+")
            for name, (kind, shape) in shapes.items()
        }
        yield arrays
        described = {
            name: [kind, list(shape), places[name], _checksum(arrays[name])]
            for name, (kind, shape) in shapes.items()
        }
        del arrays
        said = json.dumps({"about": about, "arrays": described}).encode()
        with temporary.open("rb+") as file:
            file.write((MAGIC + _mark(said) + said).ljust(HEADER))


def read(
    path: Path, about: Mapping[str, Any], checked: tuple[str, ...] | None = None
) -> tuple[dict[str, Any], dict[str, np.ndarray]] | None:
    """The description in the file, and its arrays, if the description contains `about`; None if the file is missing
    or damaged.

    checked: the arrays whose checksum is compared; all if None.
    """
    try:
        with path.open("rb") as file:
            header = file.read(HEADER).rstrip()
        magic, mark, content = header[:8], header[8:16], header[16:]
        if magic != MAGIC or mark != _mark(content):
            return None
        said = json.loads(content)
        if any(said["about"].get(name) != value for name, value in about.items()):
            return None
        found = {}
        for name, (kind, shape, start, checksum) in said["arrays"].items():
            # Mode "c": writes to the arrays stay in memory. torch accepts no read-only arrays.
            found[name] = _mapped(path, kind, tuple(shape), start, "c")
            if (checked is None or name in checked) and _checksum(found[name]) != checksum:
                return None
        return said["about"], found
    except (OSError, ValueError):
        return None


def _mark(content: bytes) -> bytes:
    """The CRC-32 as 8 characters."""
    return f"{zlib.crc32(content):08x}".encode()


def _mapped(path: Path, kind: str, shape: tuple[int, ...], start: int, mode: str) -> np.ndarray:
    if not int(np.prod(shape)):
        return np.zeros(shape, kind)
    return np.memmap(path, np.dtype(kind), mode, start, shape)  # type: ignore[call-overload,no-any-return]


def _checksum(array: np.ndarray) -> int:
    data, found = array.reshape(-1).view(np.uint8), 0
    for start in range(0, len(data), CHUNK):
        found = zlib.crc32(data[start : start + CHUNK].data, found)
    return found
