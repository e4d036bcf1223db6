"""Large raw values: what they are, and where their bytes lie.

A row holds a `Media` in the place of a picture, a sound, a video or an array. Opening a data set, fitting a
tokenizer on its texts or reading a label therefore touches no byte of them.
"""

import functools
import hashlib
import io
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO, Protocol, Self, TypeVar

import numpy as np

from weft.core.arrays import decode_array
from weft.core.errors import WeftError
from weft.core.files import LARGEST_FILE, open_file, read_file
from weft.core.kinds import NOUNS, Kind, kind_of, suffix_of
from weft.core.names import present
from weft.core.once import kept

T = TypeVar("T")
_LARGEST: dict[Kind, int] = {"image": 512 << 20}
"""Bytes of the largest file of a kind that is read whole."""
RECORDINGS: tuple[Kind, ...] = ("audio", "video")
"""Kinds of which a part may be meant, and whose files are not read whole."""
_CHUNK = 1 << 20


class Alternatives(tuple[Any, ...]):
    """Several values any one of which may stand for the row, such as the captions of a picture.

    Training draws one, and each is a view of its own in evaluation. A list is one value: the tags of a
    picture, the frames of a video.
    """

    __slots__ = ()


class Joined(tuple["Media", ...]):
    """Parts of recordings, one after the other, that are one recording."""

    __slots__ = ()


class Place(Protocol):
    """Where the content of a Media lies."""

    def load(self, limit: int) -> bytes | np.ndarray:
        """The encoded bytes, or the array where it is not encoded.

        Raises OSError or WeftError; the latter also where it holds more than `limit` bytes.
        """
        ...

    def open(self) -> BinaryIO:
        """The encoded bytes as a file to seek in, so that a recording need not be read whole.

        Raises OSError or WeftError.
        """
        ...

    def size(self) -> int | None:
        """Its bytes, where they are known without reading it."""
        ...

    def stamp(self, *, times: bool) -> str:
        """Changes when the content does, made without reading it where that can be.

        times: of files; without them a copy of the data has the same stamp, but a file that is replaced
        by another one of its size is not noticed.
        """
        ...

    def changed(self) -> int | None:
        """When its file was last changed, in ns; None for what is in memory."""
        ...


@dataclass(frozen=True, slots=True)
class FilePlace:
    """A file. folder: the data's, where the row names the file in words of its own."""

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
        """Whether the name that the row gives leads out of the data's folder."""
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
    """An array that `make` gives; it is made once for each row that is read."""

    make: Callable[[], np.ndarray]

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
        # What makes it may be a function that no other process knows.
        return Made, (functools.partial(_itself, self._array),)

    def __str__(self) -> str:
        return "an array in memory"


def _itself(array: np.ndarray) -> np.ndarray:
    return array


def _made(make: np.ndarray | Callable[[], np.ndarray]) -> Made:
    return Made(functools.partial(_itself, make) if isinstance(make, np.ndarray) else make)


def npy_of(array: np.ndarray) -> bytes:
    """The content of the .npy file that holds the array."""
    out = io.BytesIO()
    np.save(out, array, allow_pickle=False)
    return out.getvalue()


@dataclass(frozen=True, slots=True)
class Media:
    """A picture, a sound, a video or an array that is read when somebody asks.

    suffix: of its file's name, in small letters and without the dot; "" where it has none.
    rate: samples or frames a second of a recording that is not encoded.
    start, end: the part of a recording that is meant, in seconds; end None: up to its end.
    """

    kind: Kind
    place: Place
    suffix: str = ""
    rate: float | None = None
    start: float = 0.0
    end: float | None = None

    def __post_init__(self) -> None:
        end = math.inf if self.end is None else self.end
        if not (0 <= self.start < end):  # also false of what is not a number
            raise WeftError(
                f"the part of {self.place} from {self.start} s to {self.end} s, expected a start of 0 or more "
                "and an end after it"
            )
        if self.rate is not None and not 0 < self.rate < math.inf:
            raise WeftError(
                f"{self.place} has rate {self.rate}, expected samples or frames a second"
            )

    @classmethod
    def file(cls, path: Path, kind: Kind | None = None, *, folder: Path | None = None) -> Self:
        """The file at `path`, by default of the kind that its suffix says. folder: see FilePlace.

        Where there is none, but one whose name is the same in another Unicode form, that one.
        """
        path = present(path)
        return cls(kind or kind_of(path.name), FilePlace(path, folder), suffix_of(path.name))

    @classmethod
    def encoded(cls, data: bytes, kind: Kind, suffix: str = "") -> Self:
        """The content of a file that is in memory."""
        return cls(kind, Memory(data), suffix)

    @classmethod
    def array_of(cls, make: np.ndarray | Callable[[], np.ndarray], kind: Kind = "array") -> Self:
        """An array, or what makes it; of kind image pixels, uint8 (H, W, 3)."""
        return cls(kind, _made(make))

    @classmethod
    def sound(cls, make: np.ndarray | Callable[[], np.ndarray], rate: float) -> Self:
        """Samples (S,) or (S, channels), float in [-1, 1] or int16, or what makes them. rate: a second."""
        return cls("audio", _made(make), rate=rate)

    @classmethod
    def frames(cls, make: np.ndarray | Callable[[], np.ndarray], rate: float) -> Self:
        """The frames of a video, uint8 (F, H, W, 3), or what makes them. rate: a second."""
        return cls("video", _made(make), rate=rate)

    def part(self, start: float, end: float | None = None) -> Self:
        """The part of a recording from `start` to `end`, in seconds of the whole; end None: up to its end.

        Raises WeftError where it ends before it begins.
        """
        return replace(self, start=start, end=end)

    def of_kind(self, kind: Kind) -> Self:
        """The same content read as another kind, such as the sound track of a video."""
        return replace(self, kind=kind)

    @property
    def path(self) -> Path | None:
        """The file, where it is one."""
        return self.place.path if isinstance(self.place, FilePlace) else None

    def open(self) -> BinaryIO:
        """The encoded bytes as a file to seek in. Raises WeftError."""
        return self._reading(self.place.open)

    def load(self) -> bytes | np.ndarray:
        """The encoded bytes, or the array where it is not encoded; read once within `once`.

        Raises WeftError.
        """
        return kept(self, self._loaded)

    def _loaded(self) -> bytes | np.ndarray:
        return self._reading(lambda: self.place.load(_LARGEST.get(self.kind, LARGEST_FILE)))

    def _reading(self, read: Callable[[], T]) -> T:
        try:
            return read()
        except FileNotFoundError:
            raise WeftError(f"no such file: {self.place}") from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise WeftError(f"{self.place} cannot be read: {reason}") from None

    def read(self) -> bytes:
        """The encoded bytes; an array that is not encoded as those of a .npy file. Raises WeftError."""
        content = self.load()
        if isinstance(content, bytes):
            return content
        return npy_of(content)

    def array(self) -> np.ndarray:
        """The array; that of a .npy file decoded. Raises WeftError for anything else."""
        content = self.load()
        return content if isinstance(content, np.ndarray) else decode_array(content)

    def digest(self) -> str:
        """32 hex digits of the content, and of the part of it that is meant. Raises WeftError."""
        digest = self._streamed() if self.kind in RECORDINGS else digest_of(self.load())
        return digest_of(f"{digest} {self._part}".encode()) if self._part else digest

    def stamp(self, *, times: bool) -> str:
        """That of its place (see `Place.stamp`), and the part of it that is meant."""
        return f"{self.place.stamp(times=times)}{self._part}"

    @property
    def _part(self) -> str:
        part = (self.rate, self.start, self.end)
        return "" if part == (None, 0.0, None) else f" {part}"

    def _streamed(self) -> str:
        """The digest of the encoded bytes, of which few are in memory."""
        if isinstance(self.place, Made):
            return digest_of(self.load())
        digest = hashlib.blake2b(digest_size=16)
        with self.open() as file:
            while data := self._reading(lambda: file.read(_CHUNK)):
                digest.update(data)
        return digest.hexdigest()


def expected(raw: Any, kind: Kind) -> Media:
    """`raw`, which has to be a Media of that kind, or one whose kind is not known; a video serves as a sound. Raises WeftError."""
    if isinstance(raw, list | tuple) and raw and all(isinstance(each, Media) for each in raw):
        raise WeftError(
            f"has {len(raw)} files, expected one {NOUNS[kind]} a row; give a row to each, with a column that "
            "says which belong together (--columns group=COLUMN)"
        )
    if not isinstance(raw, Media):
        raise WeftError(f"is a {type(raw).__name__}, expected a Media of kind {kind}")
    film = kind == "audio" and raw.kind == "video"  # its sound track is read
    if raw.kind not in (kind, "file") and not film:
        raise WeftError(f"{raw.place} is of kind {raw.kind}, expected {kind}")
    return raw


def media_of(raw: Any, kind: Kind) -> Media:
    """A Media of what a caller may give: one, a path, encoded bytes, or an array.

    Raises WeftError for anything else.
    """
    if isinstance(raw, Media):
        return raw
    if isinstance(raw, str | Path):
        return Media.file(Path(raw), kind)
    if isinstance(raw, bytes):
        return Media.encoded(raw, kind)
    if isinstance(raw, np.ndarray):
        return Media.array_of(raw, kind)
    raise WeftError(f"is a {type(raw).__name__}, expected a path, bytes or an array")


def small_value(value: Any) -> Any:
    """A value of a row as a target reads it: of an array that lies in a file the array itself.

    Raises WeftError where that cannot be read.
    """
    return value.array() if isinstance(value, Media) and value.kind == "array" else value


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
    """What `Place.stamp` says of a file."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return f"{path.name}: no file"
    # The time of the last change of the inode moves even where a copy keeps the time of writing.
    when = f"{path} {found.st_mtime_ns} {found.st_ctime_ns}" if times else path.name
    return f"{when} {found.st_size}"


def file_changed(path: Path) -> int:
    """What `Place.changed` says of a file; now for one that is not there."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return time.time_ns()
    return max(found.st_mtime_ns, found.st_ctime_ns)
