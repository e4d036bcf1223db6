"""The index beside a tar shard: where each member of each sample lies, for reading by number.

Plain JSON, checked on reading; built by one pass over the headers when it is absent or older than
the shard, and kept beside the shard where that folder can be written.
"""

import json
import logging
import tarfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from weft.core.errors import DataError, WeftError
from weft.core.files import write_text

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


def index_path(shard: Path) -> Path:
    return shard.with_name(f"{shard.name}.index.json")


def load_index(shard: Path) -> TarIndex:
    """The index of `shard`, from the file beside it or from its headers.

    Raises DataError where the shard cannot be read at all.
    """
    try:
        stat = shard.stat()
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", source=str(shard)) from None
    stamp = {"version": VERSION, "size": stat.st_size, "mtime_ns": stat.st_mtime_ns}
    kept = _read(index_path(shard), stamp)
    if kept is not None:
        return kept
    index = scan(shard)
    try:
        write_text(index_path(shard), json.dumps({**stamp, **asdict(index)}, ensure_ascii=False))
    except WeftError as error:
        log.debug("the index stays in memory: %s", error)
    return index


def scan(shard: Path) -> TarIndex:
    """Reads all headers of `shard`, and the JSON members for their id and split."""
    index = TarIndex()
    size = shard.stat().st_size
    end = 0
    last = ""
    with shard.open("rb") as file:
        for member in _members(shard):
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


def _members(shard: Path) -> Iterator[tarfile.TarInfo]:
    """The members of `shard` up to the first header or content that is not whole."""
    try:
        with tarfile.open(shard, "r:") as tar:
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
        raise DataError(reason, source=str(shard)) from None


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


def _read(path: Path, stamp: dict[str, int]) -> TarIndex | None:
    """The kept index, or None where there is none for this very shard."""
    try:
        kept = json.loads(path.read_bytes())
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
