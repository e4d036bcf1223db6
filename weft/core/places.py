"""Places of the bytes of raw values: a file, memory, or a function that makes an array."""

import functools
import hashlib
import io
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Protocol, Self

import numpy as np

from weft.core.errors import WeftError
from weft.core.files import open_file, read_file


class Place(Protocol):
    """The location of the content of a Media."""

    def load(self, limit: int) -> bytes | np.ndarray:
        """The encoded bytes, or the array if it is not encoded.

        Raises OSError or WeftError; WeftError also if the content has more than `limit` bytes.
        """
        ...

    def open(self) -> BinaryIO:
        """The encoded bytes as a seekable file, so that a recording need not be read as a whole.

        Raises OSError or WeftError.
        """
        ...

    def size(self) -> int | None:
        """The number of bytes, if it is known without reading them."""
        ...

    def stamp(self, *, times: bool) -> str:
        """A value that changes when the content changes, computed without reading the content if possible.

        times: include the modification times of files. Without them a copy of the data has the same stamp, but a
        file that is replaced by another of the same size is not noticed.
        """
        ...

    def changed(self) -> int | None:
        """The time of the last change of its file, in ns; None for content in memory."""
        ...


@dataclass(frozen=True, slots=True)
class FilePlace:
    """A file. folder: the folder of the data, if the row itself contains the name of the file."""

    path: Path
    folder: Path | None = field(default=None, compare=False)

    def load(self, limit: int) -> bytes:
        return read_file(self.path, limit)

    def open(self) -> BinaryIO:
        return open_file(self.path)

    def size(self) -> int | None:
        try:
            return os.stat(self.path).st_size
        except (OSError, ValueError):
            return None

    def stamp(self, *, times: bool) -> str:
        return file_stamp(self.path, times=times)

    def changed(self) -> int:
        return file_changed(self.path)

    @property
    def outside(self) -> bool:
        """Whether the name in the row leads out of the folder of the data."""
        if self.folder is None:
            return False
        path, folder = os.path.abspath(self.path), os.path.abspath(self.folder)
        return not any(
            path.startswith(os.path.join(place, "")) for place in (folder, os.path.realpath(folder))
        )

    def __str__(self) -> str:
        return str(self.path)


@dataclass(frozen=True, slots=True)
class Memory:
    """Encoded bytes."""

    data: bytes = field(repr=False)

    def load(self, limit: int) -> bytes:
        if len(self.data) > limit:
            raise WeftError(f"holds more than the limit of {limit:,} bytes")
        return self.data

    def open(self) -> BinaryIO:
        return io.BytesIO(self.data)

    def size(self) -> int:
        return len(self.data)

    def stamp(self, *, times: bool) -> str:  # noqa: ARG002
        return digest_of(self.data)

    def changed(self) -> None:
        return None

    def __str__(self) -> str:
        return f"{len(self.data):,} bytes in memory"


@dataclass(frozen=True, eq=False)
class Made:
    """An array that the function `make` returns. It is called once for each row that is read."""

    make: Callable[[], np.ndarray]

    @classmethod
    def of(cls, make: np.ndarray | Callable[[], np.ndarray]) -> Self:
        """The array, or that of the function."""
        return cls(functools.partial(_itself, make) if isinstance(make, np.ndarray) else make)

    def load(self, limit: int) -> np.ndarray:  # noqa: ARG002
        return self._array

    def open(self) -> BinaryIO:
        return io.BytesIO(npy_of(self._array))

    def size(self) -> None:
        return None

    def stamp(self, *, times: bool) -> str:  # noqa: ARG002
        return digest_of(self._array)

    def changed(self) -> None:
        return None

    @functools.cached_property
    def _array(self) -> np.ndarray:
        return self.make()

    def __reduce__(self) -> tuple[Any, ...]:
        # Pickle the array, not `make`, which may be a function that cannot be pickled.
        return Made.of, (self._array,)

    def __str__(self) -> str:
        return "an array in memory"


def _itself(array: np.ndarray) -> np.ndarray:
    return array


def npy_of(array: np.ndarray) -> bytes:
    """The array as the content of a .npy file."""
    out = io.BytesIO()
    np.save(out, array, allow_pickle=False)
    return out.getvalue()


def digest_of(content: bytes | np.ndarray) -> str:
    """32 hex digits of encoded bytes, or of an array."""
    digest = hashlib.blake2b(digest_size=16)
    if isinstance(content, np.ndarray):
        digest.update(f"{content.dtype} {content.shape}".encode())
        digest.update(np.ascontiguousarray(content).tobytes())
    else:
        digest.update(content)
    return digest.hexdigest()


def file_stamp(path: Path, *, times: bool) -> str:
    """The `Place.stamp` of a file."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return f"{path.name}: no file"
    # st_ctime changes even if a copy keeps the modification time of the original.
    when = f"{path} {found.st_mtime_ns} {found.st_ctime_ns}" if times else path.name
    return f"{when} {found.st_size}"


def file_changed(path: Path) -> int:
    """The `Place.changed` of a file; the present time if the file does not exist."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return time.time_ns()
    return max(found.st_mtime_ns, found.st_ctime_ns)
