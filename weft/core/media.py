"""Large raw values: their kind, and the location of their bytes.

A row holds a `Media` for a picture, a sound, a video or an array. So opening a data set, fitting a tokenizer on its
texts or reading a label reads none of these bytes.
"""

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, Self, TypeVar

import numpy as np

from weft.core.arrays import decode_array
from weft.core.errors import WeftError
from weft.core.files import LARGEST_FILE
from weft.core.kinds import NOUNS, Kind, kind_of, suffix_of
from weft.core.names import present
from weft.core.once import kept
from weft.core.places import FilePlace, Made, Memory, Place, digest_of, npy_of

T = TypeVar("T")
_LARGEST: dict[Kind, int] = {"image": 512 << 20}
"""Bytes of the largest file of each kind that is read into memory."""
RECORDINGS: tuple[Kind, ...] = ("audio", "video")
"""Kinds that have a start and an end, and whose files are not read into memory as a whole."""
_CHUNK = 1 << 20


class Alternatives(tuple[Any, ...]):
    """Several values, any one of which may represent the row, such as the captions of a picture.

    Training samples one of them; in evaluation each is a separate view. A list, in contrast, is one value: the tags
    of a picture, the frames of a video.
    """

    __slots__ = ()


class Joined(tuple["Media", ...]):
    """Parts of recordings that form one recording, in this order."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Media:
    """A picture, a sound, a video or an array that is read when it is needed.

    suffix: of its file's name, in lower case and without the dot; "" if it has none. rate: samples or frames per
    second of a recording that is not encoded. start, end: the part of a recording that is used, in seconds; end
    None: to the end.
    """

    kind: Kind
    place: Place
    suffix: str = ""
    rate: float | None = None
    start: float = 0.0
    end: float | None = None

    def __post_init__(self) -> None:
        end = math.inf if self.end is None else self.end
        if not (0 <= self.start < end):  # in this form NaN is refused too
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
        """The file at `path`; by default its suffix determines the kind. folder: see FilePlace.

        If only a file with the same name in another Unicode form exists, it is used.
        """
        path = present(path)
        return cls(kind or kind_of(path.name), FilePlace(path, folder), suffix_of(path.name))

    @classmethod
    def encoded(cls, data: bytes, kind: Kind, suffix: str = "") -> Self:
        """The content of a file that is in memory."""
        return cls(kind, Memory(data), suffix)

    @classmethod
    def array_of(cls, make: np.ndarray | Callable[[], np.ndarray], kind: Kind = "array") -> Self:
        """An array, or the function that makes it; for kind image: pixels, uint8 (H, W, 3)."""
        return cls(kind, Made.of(make))

    @classmethod
    def sound(cls, make: np.ndarray | Callable[[], np.ndarray], rate: float) -> Self:
        """Samples (S,) or (S, channels), float in [-1, 1] or int16, or the function that makes them. rate: samples
        per second.
        """
        return cls("audio", Made.of(make), rate=rate)

    @classmethod
    def frames(cls, make: np.ndarray | Callable[[], np.ndarray], rate: float) -> Self:
        """The frames of a video, uint8 (F, H, W, 3), or the function that makes them. rate: frames per second."""
        return cls("video", Made.of(make), rate=rate)

    def part(self, start: float, end: float | None = None) -> Self:
        """The part of a recording from `start` to `end`, in seconds of the whole recording; end None: to the end.

        Raises WeftError if it ends before it begins.
        """
        return replace(self, start=start, end=end)

    def of_kind(self, kind: Kind) -> Self:
        """The same content with another kind, such as the sound track of a video."""
        return replace(self, kind=kind)

    @property
    def path(self) -> Path | None:
        """The path of the file; None if the content is not a file."""
        return self.place.path if isinstance(self.place, FilePlace) else None

    def open(self) -> BinaryIO:
        """The encoded bytes as a seekable file. Raises WeftError."""
        return self._reading(self.place.open)

    def load(self) -> bytes | np.ndarray:
        """The encoded bytes, or the array if it is not encoded; read only once within `once`.

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
        """The encoded bytes; for an array that is not encoded, those of a .npy file. Raises WeftError."""
        content = self.load()
        if isinstance(content, bytes):
            return content
        return npy_of(content)

    def array(self) -> np.ndarray:
        """The array; a .npy file is decoded. Raises WeftError for anything else."""
        content = self.load()
        return content if isinstance(content, np.ndarray) else decode_array(content)

    def digest(self) -> str:
        """32 hex digits of the content and of the part of it that is used. Raises WeftError."""
        digest = self._streamed() if self.kind in RECORDINGS else digest_of(self.load())
        return digest_of(f"{digest} {self._part}".encode()) if self._part else digest

    def stamp(self, *, times: bool) -> str:
        """The stamp of its place (see `Place.stamp`), with the part of it that is used."""
        return f"{self.place.stamp(times=times)}{self._part}"

    @property
    def _part(self) -> str:
        part = (self.rate, self.start, self.end)
        return "" if part == (None, 0.0, None) else f" {part}"

    def _streamed(self) -> str:
        """The digest of the encoded bytes, read in blocks."""
        if isinstance(self.place, Made):
            return digest_of(self.load())
        digest = hashlib.blake2b(digest_size=16)
        with self.open() as file:
            while data := self._reading(lambda: file.read(_CHUNK)):
                digest.update(data)
        return digest.hexdigest()


def expected(raw: Any, kind: Kind) -> Media:
    """Returns `raw` if it is a Media of that kind or of unknown kind; a video also counts as a sound. Raises
    WeftError otherwise.
    """
    if isinstance(raw, list | tuple) and raw and all(isinstance(each, Media) for each in raw):
        raise WeftError(
            f"has {len(raw)} files, expected one {NOUNS[kind]} a row; write a row for each file, and mark those "
            "that belong together by a group column (--columns group=COLUMN)"
        )
    if not isinstance(raw, Media):
        raise WeftError(f"is a {type(raw).__name__}, expected a Media of kind {kind}")
    film = kind == "audio" and raw.kind == "video"  # its sound track is read
    if raw.kind not in (kind, "file") and not film:
        raise WeftError(f"{raw.place} is of kind {raw.kind}, expected {kind}")
    return raw


def media_of(raw: Any, kind: Kind) -> Media:
    """Makes a Media from the value of a caller: a Media, a path, encoded bytes, or an array.

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
    """A value of a row for a target: the array itself if the value is an array in a file.

    Raises WeftError if the file cannot be read.
    """
    return value.array() if isinstance(value, Media) and value.kind == "array" else value
