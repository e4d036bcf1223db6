"""The index beside a tar shard: the positions of every sample's members, for reading by number.

The index is plain JSON and is checked on reading. If it is absent or older than the shard, one pass over the headers
builds it, and it is saved beside the shard if that folder is writable. For a shard in a store, an index beside it is
trusted if the size agrees, since copying changes times; otherwise the headers are read once and the result is kept in
the cache. When a member is read, its headers are compared with the index (`_tar_members`).
"""

import hashlib
import itertools
import json
import logging
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from weft.core.errors import DataError, WeftError
from weft.core.files import cache_folder, open_file, read_file, write_text
from weft.data.formats._remote import RemoteFile
from weft.data.formats._tar_members import BLOCK, Span

VERSION = 3
LARGEST_JSON = 64 << 20
"""Bytes. A larger JSON member is refused."""
log = logging.getLogger("weft.data")


@dataclass
class Entry:
    """One sample of a shard. members: extension, as written in the archive -> position of the member."""

    key: str
    members: dict[str, Span] = field(default_factory=dict)
    id: str | None = None
    split: str | None = None


@dataclass
class TarIndex:
    """The readable samples of a shard, and (member, reason) for the others."""

    samples: list[Entry] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)


SUFFIX = ".index.json"


def index_path(shard: Path | RemoteFile) -> Path:
    """Returns the path where the index of `shard` is kept after its headers were read."""
    if isinstance(shard, RemoteFile):
        digest = hashlib.blake2b(str(shard).encode(), digest_size=16).hexdigest()
        return cache_folder() / "indexes" / f"{digest}{SUFFIX}"
    return shard.with_name(shard.name + SUFFIX)


def load_index(shard: Path | RemoteFile) -> TarIndex:
    """Returns the index of `shard`, from the file beside it or from its headers.

    Raises DataError if the shard cannot be read at all, WeftError if its store cannot.
    """
    path = index_path(shard)
    if isinstance(shard, RemoteFile):
        size = {"version": VERSION, "size": shard.size}
        beside = _parsed(shard.beside(SUFFIX), size)
        if beside is not None:
            return beside
        stamp: dict[str, Any] = {**size, "content": shard.version}
    else:
        stamp = _stamp(shard)
    try:
        kept = _parsed(read_file(path), stamp)
    except OSError:
        kept = None
    if kept is not None:
        return kept
    index = scan(shard)
    try:
        write_text(path, json.dumps({**stamp, **_sealed(index)}, ensure_ascii=False))
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
    """Reads all headers of `shard`, and the JSON members for ids and splits.

    Members with the same stem form one sample, wherever they lie in the archive.
    """
    entries: dict[str, Entry] = {}
    problems: list[tuple[str, str]] = []
    size = shard.size if isinstance(shard, RemoteFile) else shard.stat().st_size
    end, last = 0, ""
    with _opened(shard) as file:
        for member, end in _members(file, str(shard)):  # noqa: B007
            last = member.name
            name = split_member(last)
            if name is not None and not member.isdir():
                _add(entries, problems, *name, member)
        file.seek(end)
        if file.read(BLOCK) != bytes(BLOCK):
            # The rest is lost, so samples that may have a member there may be incomplete.
            reason = "is cut off here" if end + BLOCK > size else "is damaged after this member"
            problems.append((_printable(last), f"the archive {reason} ({size} bytes)"))
            for key in _unsure(entries, last):
                del entries[key]
        samples = _with_details(file, entries.values(), problems)
    return TarIndex(samples, problems)


def _unsure(entries: dict[str, Entry], last: str) -> list[str]:
    """Lists the samples of a damaged archive that may lack members.

    These are the last sample that has begun and, if members of one sample do not lie side by side, each sample with
    fewer members than another.
    """
    if not entries:
        return []
    final = (split_member(last) or ("", ""))[0]
    unsure = {final if final in entries else next(reversed(entries))}
    order = sorted(
        (place.header, key) for key, entry in entries.items() for place in entry.members.values()
    )
    changes = sum(a != b for (_, a), (_, b) in itertools.pairwise(order))
    if changes >= len(entries):
        most = max(len(entry.members) for entry in entries.values())
        unsure |= {key for key, entry in entries.items() if len(entry.members) < most}
    return [key for key in entries if key in unsure]


def split_member(name: str) -> tuple[str, str] | None:
    """Returns (key, extension): the path up to the first dot of the file name, and the rest after that dot.

    This is the WebDataset convention. None if one of the two is empty.
    """
    folder, slash, base = name.removeprefix("./").rpartition("/")
    stem, _, extension = base.partition(".")
    if not stem or not extension or stem.startswith("__"):
        return None
    return f"{folder}{slash}{stem}", extension


def _opened(shard: Path | RemoteFile) -> IO[bytes]:
    if isinstance(shard, RemoteFile):
        return shard.open()
    try:
        return open_file(shard)
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", source=str(shard)) from None


def _members(file: IO[bytes], source: str) -> Iterator[tuple[tarfile.TarInfo, int]]:
    """Yields each member and its end, up to the first incomplete header or content."""
    try:
        with tarfile.open(fileobj=file, mode="r:") as tar:
            while True:
                try:
                    member = tar.next()
                except (tarfile.ReadError, ValueError, OverflowError):
                    return  # the caller notices that no end mark follows
                if member is None:
                    return
                yield member, tar.offset
    except (tarfile.TarError, OSError, ValueError, OverflowError) as error:
        reason = f"is no uncompressed tar archive: {error}"
        raise DataError(reason, source=source) from None


def _add(
    entries: dict[str, Entry],
    problems: list[tuple[str, str]],
    key: str,
    extension: str,
    member: tarfile.TarInfo,
) -> None:
    name = _printable(member.name)
    entry = entries.get(key)
    if name != member.name:
        problems.append((name, "its name is not UTF-8 text"))
    elif not member.isreg():
        kind = "a link" if member.islnk() or member.issym() else "a pipe or a device"
        problems.append((name, f"is {kind}, expected a file"))
    elif member.issparse():
        problems.append((name, "is stored as a sparse file, which is not supported"))
    elif entry is not None and extension in entry.members:
        problems.append((name, "is in the archive twice"))
    else:
        place = Span(member.offset, member.offset_data, member.size)
        entries.setdefault(key, Entry(key)).members[extension] = place


def _printable(name: str) -> str:
    """Returns a name from tarfile without the lone surrogates that stand for bytes outside UTF-8."""
    return name.encode(errors="replace").decode()


def _with_details(file: IO[bytes], entries: Any, problems: list[tuple[str, str]]) -> list[Entry]:
    """Returns the samples with id and split from their JSON. A sample with damaged JSON is left out."""
    good: list[Entry] = []
    for entry in entries:
        member = next((name for name in entry.members if name.lower() == "json"), None)
        try:
            details = {} if member is None else _json_at(file, entry.members[member])
        except (ValueError, RecursionError) as error:
            problems.append((f"{entry.key}.{member}", f"is not a JSON object: {error}"))
            continue
        entry.id = None if details.get("id") is None else str(details["id"])
        entry.split = None if details.get("split") is None else str(details["split"])
        good.append(entry)
    return good


def _json_at(file: IO[bytes], place: Span) -> dict[str, Any]:
    if place.size > LARGEST_JSON:
        raise ValueError(f"holds {place.size:,} bytes, more than the limit of {LARGEST_JSON:,}")
    file.seek(place.start)
    details = json.loads(file.read(place.size))
    if not isinstance(details, dict):
        raise ValueError(f"holds a {type(details).__name__}")
    return details


def _sealed(index: TarIndex) -> dict[str, Any]:
    """Returns the index as JSON values with a checksum. An edited or damaged file is built again."""
    samples = [
        {"key": e.key, "members": e.members, "id": e.id, "split": e.split} for e in index.samples
    ]
    return {
        "checksum": _checksum(samples, index.problems),
        "samples": samples,
        "problems": index.problems,
    }


def _checksum(samples: Any, problems: Any) -> str:
    content = json.dumps([samples, problems], sort_keys=True).encode()
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _parsed(data: bytes | None, stamp: dict[str, Any]) -> TarIndex | None:
    """Returns the kept index; None if it is missing, damaged, or of another version of the shard."""
    if data is None:
        return None
    try:
        kept = json.loads(data)
        if any(kept[name] != value for name, value in stamp.items()):
            return None
        if kept["checksum"] != _checksum(kept["samples"], kept["problems"]):
            return None
        samples = [_entry(row, stamp["size"]) for row in kept["samples"]]
        problems = [(_text(member), _text(reason)) for member, reason in kept["problems"]]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return TarIndex(samples, problems)


def _entry(row: dict[str, Any], size: int) -> Entry:
    """Raises ValueError or TypeError if a value has the wrong type, or lies outside the shard."""
    members = {_text(name): _place(place, size) for name, place in row["members"].items()}
    identity, split = (None if row[name] is None else _text(row[name]) for name in ("id", "split"))
    return Entry(_text(row["key"]), members, identity, split)


def _place(value: Any, size: int) -> Span:
    place = Span(*value)
    if any(type(number) is not int for number in place):
        raise TypeError(f"{value} is no place")
    if not 0 <= place.header < place.start <= place.start + place.size <= size:
        raise ValueError(f"{value} lies outside the shard")
    return place


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.40} is no text")
    value.encode()  # a lone surrogate raises ValueError
    return value
