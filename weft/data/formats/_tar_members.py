"""Reads members of a tar archive by position, and verifies that they are the expected members."""

import io
import os
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from weft.core.errors import DataError
from weft.core.files import LARGEST_FILE, open_file
from weft.core.places import file_changed, file_stamp
from weft.data.formats._remote import RemoteFile

BLOCK = tarfile.BLOCKSIZE
ANOTHER = "the index is of another shard than this: write it anew, or remove it"


class Span(NamedTuple):
    """Position of a member in its archive, in bytes.

    header: start of its header, or of the headers with its long name; start, size: its content.
    """

    header: int
    start: int
    size: int


@dataclass(frozen=True, slots=True)
class TarMember:
    """A place of Media: a member of a tar shard."""

    shard: Path | RemoteFile
    name: str
    span: Span

    def load(self, limit: int) -> bytes:
        if self.span.size > limit:
            reason = f"holds more than the limit of {limit:,} bytes"
            raise DataError(reason, source=str(self))
        return read_members(self.shard, {self.name: self.span})[self.name]

    def open(self) -> BinaryIO:
        """Opens a window into the shard after checking the header. A member in a store is read whole."""
        if isinstance(self.shard, RemoteFile):
            return io.BytesIO(self.load(LARGEST_FILE))
        try:
            return io.BufferedReader(_Window(self.shard, self.name, self.span))
        except OSError as error:
            raise DataError(f"cannot be read: {error.strerror}", source=str(self)) from None

    def size(self) -> int:
        return self.span.size

    def stamp(self, *, times: bool) -> str:
        if isinstance(self.shard, RemoteFile):
            return f"{self.shard} {self.shard.version} {self.name} {self.span}"
        return f"{file_stamp(self.shard, times=times)} {self.name} {self.span}"

    def changed(self) -> int:
        return 0 if isinstance(self.shard, RemoteFile) else file_changed(self.shard)

    def __str__(self) -> str:
        return f"{self.shard}:{self.name}"


class _Window(io.RawIOBase):
    """A member of a local shard as a file object."""

    def __init__(self, shard: Path, name: str, span: Span) -> None:
        self._start, self._size, self._at = span.start, span.size, 0
        self._file = open_file(shard)
        self._file.seek(span.header)
        whole = span.start + span.size <= os.fstat(self._file.fileno()).st_size
        if not whole or _header(self._file.read(span.start - span.header)) != (name, span.size):
            self._file.close()
            reason = ANOTHER if whole else "the shard is cut off"
            raise DataError(reason, source=f"{shard}:{name}")

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)[: max(0, self._size - self._at)]
        self._file.seek(self._start + self._at)
        count = self._file.readinto(view)
        self._at += count
        return count

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()


def read_members(shard: Path | RemoteFile, members: Mapping[str, Span]) -> dict[str, bytes]:
    """Returns the content of each member, by name, at the positions of the index.

    Raises DataError if a header disagrees with the index: a wrong index must not give a sample the content of
    another. Raises WeftError if the shard's store cannot be read.
    """
    for name, place in members.items():
        if _end(place) - place.header > LARGEST_FILE:
            reason = f"holds {place.size:,} bytes, more than the limit of {LARGEST_FILE:,}"
            raise DataError(reason, source=f"{shard}:{name}")
    if isinstance(shard, RemoteFile):
        blocks = _from_store(shard, members)
    else:
        blocks = _from_file(shard, members)
    return {
        name: _content(*blocks[name], name, place, f"{shard}:{name}")
        for name, place in members.items()
    }


def _from_file(shard: Path, members: Mapping[str, Span]) -> dict[str, tuple[bytes, bytes]]:
    """Returns name -> headers and content. Members are read one after another, so no picture is copied."""
    blocks: dict[str, tuple[bytes, bytes]] = {}
    try:
        with open_file(shard) as file:
            for name, place in members.items():
                file.seek(place.header)
                blocks[name] = (file.read(place.start - place.header), file.read(place.size))
    except OSError as error:
        reason = f"cannot be read: {error.strerror}"
        raise DataError(reason, source=f"{shard}:{next(iter(members))}") from None
    return blocks


def _from_store(shard: RemoteFile, members: Mapping[str, Span]) -> dict[str, tuple[bytes, bytes]]:
    """Returns name -> headers and content. Adjacent members come in one request."""
    blocks: dict[str, tuple[bytes, bytes]] = {}
    waiting = sorted(members.items(), key=lambda item: item[1].header)
    while waiting:
        run = [waiting.pop(0)]
        while waiting and waiting[0][1].header - _end(run[-1][1]) < BLOCK:
            run.append(waiting.pop(0))
        first = run[0][1].header
        data = shard.read(first, _end(run[-1][1]))
        for name, place in run:
            start = place.start - first
            blocks[name] = (data[place.header - first : start], data[start : _end(place) - first])
    return blocks


def _end(place: Span) -> int:
    return place.start + place.size


def _content(headers: bytes, content: bytes, name: str, place: Span, source: str) -> bytes:
    whole = len(headers) == place.start - place.header
    if whole and _header(headers) != (name, place.size):
        raise DataError(ANOTHER, source=source)
    if not whole or len(content) != place.size:
        reason = f"holds {len(content)} bytes, expected {place.size}: the shard is cut off"
        raise DataError(reason, source=source)
    return content


def _header(block: bytes) -> tuple[str, int] | None:
    """Returns (name, size) of the member with these headers; None if they are not headers."""
    if (plain := _plain_header(block)) is not None:
        return plain
    try:
        if len(block) == BLOCK:
            member = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        else:
            with tarfile.open(fileobj=io.BytesIO(block), mode="r:") as tar:
                member = next(iter(tar))
    except (tarfile.TarError, ValueError, OverflowError, StopIteration):
        return None
    return (member.name.removeprefix("./"), member.size) if member.isreg() else None


def _plain_header(block: bytes) -> tuple[str, int] | None:
    """Like `_header`, for one block with an ASCII name and an octal size; None for all others.

    The fields lie where POSIX.1-1988 (ustar) defines them. tarfile reads all fields, which takes four times as long
    for every picture of a shard.
    """
    name, _, _ = block[:100].partition(b"\0")
    octal, check = block[124:136].strip(b" \0"), block[148:156].strip(b" \0")
    plain = len(block) == BLOCK and block[156:157] == b"0" and block[345:346] == b"\0"
    if not (plain and name.isascii() and octal.isdigit() and check.isdigit()):
        return None
    try:
        whole = sum(block) - sum(block[148:156]) + 8 * ord(" ")
        return (name.decode().removeprefix("./"), int(octal, 8)) if int(check, 8) == whole else None
    except ValueError:  # a digit that is not octal
        return None
