"""The index beside a tar shard: where each member of each sample lies, for reading by number.

Plain JSON, checked on reading; built by one pass over the headers when it is absent or older than
the shard, and kept beside the shard where that folder can be written. Of a shard in a store the index
beside it is believed where the size agrees, since copying changes times, and every header is checked
again on reading; without one the headers are read once, and what they say is kept in the cache.
"""

import hashlib
import json
import logging
import tarfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from weft.core.errors import DataError, WeftError
from weft.core.files import cache_folder, write_text
from weft.data.formats._remote import RemoteFile

VERSION = 1
BLOCK = tarfile.BLOCKSIZE
log = logging.getLogger("weft.data")


@dataclass
class Entry:
    """One sample of a shard. members: extension -> (offset, size) in bytes."""

    key: str
    members: dict[str, tuple[int, int]] = field(default_factory=dict)
    id: str | None = None
    split: str | None = None


@dataclass
class TarIndex:
    """The samples of a shard that can be read, and (member, reason) of what cannot."""

    samples: list[Entry] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)


SUFFIX = ".index.json"


def index_path(shard: Path | RemoteFile) -> Path:
    """Where the index of `shard` is kept once its headers were read."""
    if isinstance(shard, RemoteFile):
        digest = hashlib.blake2b(str(shard).encode(), digest_size=16).hexdigest()
        return cache_folder() / "indexes" / f"{digest}{SUFFIX}"
    return shard.with_name(shard.name + SUFFIX)


def load_index(shard: Path | RemoteFile) -> TarIndex:
    """The index of `shard`, from the file beside it or from its headers.

    Raises DataError where the shard cannot be read at all, WeftError where its store cannot.
    """
    path = index_path(shard)
    if isinstance(shard, RemoteFile):
        size = {"version": VERSION, "size": shard.size}
        beside = _parsed(shard.beside(SUFFIX), size)
        if beside is not None:
            return beside
        stamp: dict[str, Any] = {**size, "content": shard.version()}
    else:
        stamp = _stamp(shard)
    try:
        kept = _parsed(path.read_bytes(), stamp)
    except OSError:
        kept = None
    if kept is not None:
        return kept
    index = scan(shard)
    try:
        write_text(path, json.dumps({**stamp, **asdict(index)}, ensure_ascii=False))
    except WeftError as error:
        log.debug("the index stays in memory: %s", error)
    return index


def _stamp(shard: Path) -> dict[str, Any]:
    try:
        stat = shard.stat()
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", source=str(shard)) from None
    return {"version": VERSION, "size": stat.st_size, "mtime_ns": stat.st_mtime_ns}


def scan(shard: Path | RemoteFile) -> TarIndex:
    """Reads all headers of `shard`, and the JSON members for their id and split."""
    index = TarIndex()
    size = shard.size if isinstance(shard, RemoteFile) else shard.stat().st_size
    end = 0
    last = ""
    with _opened(shard) as file:
        for member in _members(file, str(shard)):
            last = member.name
            end = member.offset_data + member.size
            name = split_member(member.name)
            if member.isreg() and name is not None:
                _add(index, *name, member)
            end += -end % BLOCK
        file.seek(end)
        ending = file.read(BLOCK)
        if ending != bytes(BLOCK):
            # What follows is lost, so nobody knows whether the last sample is whole.
            reason = "is cut off here" if end + BLOCK > size else "is damaged after this member"
            index.problems.append((last, f"the archive {reason} ({size} bytes)"))
            if index.samples:
                index.samples.pop()
        _read_details(file, index)
    return index


def split_member(name: str) -> tuple[str, str] | None:
    """(key, extension): the name up to the first dot of its last part, and what follows it.

    That is the WebDataset convention. None for a name without one of the two.
    """
    folder, slash, base = name.removeprefix("./").rpartition("/")
    stem, _, extension = base.partition(".")
    if not stem or not extension or stem.startswith("__"):
        return None
    return f"{folder}{slash}{stem}", extension


def _opened(shard: Path | RemoteFile) -> IO[bytes]:
    return shard.open() if isinstance(shard, RemoteFile) else shard.open("rb")


def _members(file: IO[bytes], source: str) -> Iterator[tarfile.TarInfo]:
    """The members of a shard up to the first header or content that is not whole."""
    try:
        with tarfile.open(fileobj=file, mode="r:") as tar:
            while True:
                try:
                    member = tar.next()
                except tarfile.ReadError:
                    return  # the caller sees that no end mark follows
                if member is None:
                    return
                yield member
    except (tarfile.TarError, OSError) as error:
        reason = f"is no uncompressed tar archive: {error}"
        raise DataError(reason, source=source) from None


def _add(index: TarIndex, key: str, extension: str, member: tarfile.TarInfo) -> None:
    if not index.samples or index.samples[-1].key != key:
        index.samples.append(Entry(key))
    members = index.samples[-1].members
    if extension in members:
        index.problems.append((member.name, "is in the archive twice"))
    elif member.issparse():
        index.problems.append((member.name, "is stored as a sparse file, which is not supported"))
    else:
        members[extension] = (member.offset_data, member.size)


def _read_details(file: Any, index: TarIndex) -> None:
    """Fills id and split from the JSON members; a sample whose JSON is damaged is left out."""
    good: list[Entry] = []
    for entry in index.samples:
        try:
            details = _json_of(file, entry)
        except (ValueError, RecursionError) as error:
            index.problems.append((f"{entry.key}.json", f"is not a JSON object: {error}"))
            continue
        entry.id = None if details.get("id") is None else str(details["id"])
        entry.split = None if details.get("split") is None else str(details["split"])
        good.append(entry)
    index.samples[:] = good


def _json_of(file: Any, entry: Entry) -> dict[str, Any]:
    if "json" not in entry.members:
        return {}
    offset, size = entry.members["json"]
    file.seek(offset)
    details = json.loads(file.read(size))
    if not isinstance(details, dict):
        raise ValueError(f"holds a {type(details).__name__}")
    return details


def _parsed(data: bytes | None, stamp: dict[str, Any]) -> TarIndex | None:
    """The kept index, or None where there is none for this very shard."""
    if data is None:
        return None
    try:
        kept = json.loads(data)
        if any(kept[name] != value for name, value in stamp.items()):
            return None
        samples = [
            Entry(
                str(row["key"]),
                {str(n): (int(o), int(s)) for n, (o, s) in row["members"].items()},
                row["id"],
                row["split"],
            )
            for row in kept["samples"]
        ]
        if any(
            o < 0 or s < 0 or o + s > stamp["size"] for e in samples for o, s in e.members.values()
        ):
            return None
        return TarIndex(samples, [(str(m), str(r)) for m, r in kept["problems"]])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
