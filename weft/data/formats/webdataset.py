"""Tar shards in the WebDataset layout: files with the same stem form one sample."""

import itertools
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from weft.core.errors import DataError, WeftError
from weft.core.kinds import COLUMN_KINDS, SUFFIXES, kind_of
from weft.core.media import RECORDINGS as RECORDED
from weft.core.media import Alternatives, Media
from weft.core.recent import RecentBytes
from weft.core.samples import Sample
from weft.data.formats._columns import TEXT_COLUMNS
from weft.data.formats._remote import RemoteFile, address_of, remote_shards
from weft.data.formats._rows import (
    SPLIT_NAMES,
    OnError,
    UniqueIds,
    known_split,
    split_name,
)
from weft.data.formats._tar_index import Entry, load_index
from weft.data.formats._tar_members import TarMember, read_members
from weft.data.formats._tar_writer import ALTERNATIVES, LISTS, RECORDINGS

NAME = "webdataset"
DESCRIPTION = (
    "tar shards (a folder, one .tar, or shard-{000..012}.tar; also at s3://...), read by number"
)
COLUMNS = {
    **{suffix: kind for kind in COLUMN_KINDS for suffix in SUFFIXES[kind]},
    **dict.fromkeys(("txt", "text", "caption"), "text"),
    "cls": "label",
}
KEPT_BYTES = 32 << 20
"""Bytes of the texts and JSON of samples that stay in memory, counted as in the shards."""
DETAILS = "json"
"""The column of the JSON object that holds a sample's other columns."""
TEXT_KINDS = ("txt", "text", "caption", "cls")
SMALL_KINDS = (*TEXT_KINDS, "json")
"""Members that are read with the sample; all others are read on request."""


def detect(path: Path) -> bool:
    if address_of(path) is not None:
        return True
    if path.is_dir():
        return any(p.suffix.lower() == ".tar" for p in path.iterdir())
    return path.suffix.lower() == ".tar" and (path.exists() or "{" in str(path))


def read(path: Path, on_error: OnError) -> "ShardDataset":
    """Returns all samples of all shards, in order of name.

    The split comes from a sample's JSON, else from the shard's name (train-0000.tar) or its folder's. Truncated or
    damaged members go to `on_error`, with shard and member.
    """
    entries: list[tuple[Path | RemoteFile, Entry]] = []
    ids = UniqueIds()
    for shard in shards_of(path):
        try:
            index = load_index(shard)
        except DataError as error:
            on_error(error)
            continue
        for member, reason in index.problems:
            on_error(DataError(reason, source=f"{shard}:{member}"))
        named = known_split(shard.stem) or SPLIT_NAMES.get(shard.parent.name.lower())
        for entry in itertools.chain.from_iterable(map(_samples_of, index.samples)):
            source = f"{shard}:{entry.key}"
            try:
                _check_columns(entry, source)
                entry.id = entry.id or f"{shard.stem}/{entry.key}"
                ids.claim(entry.id, source)
            except DataError as error:
                on_error(error)
                continue
            entry.split = named if entry.split is None else split_name(entry.split)
            entries.append((shard, entry))
    return ShardDataset(entries)


class ShardDataset:
    """Samples of tar shards, read by number from the offsets in the index.

    Texts and JSON are read with the sample, and those of the latest samples are cached. Pictures, sounds, videos and
    arrays are Media, whose bytes are read on request.
    """

    def __init__(self, entries: list[tuple[Path | RemoteFile, Entry]]) -> None:
        self._entries = entries
        self.splits = [entry.split for _, entry in entries]
        self._kept: RecentBytes[dict[str, bytes]] = RecentBytes(KEPT_BYTES)

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Sample]:
        return (self[row] for row in range(len(self)))

    def __getitem__(self, index: int, /) -> Sample:
        shard, entry = self._entries[index]
        source = f"{shard}:{entry.key}"
        small = self._small(index, shard, entry)
        items: dict[str, Any] = {}
        details: dict[str, Any] = {}
        for extension, span in entry.members.items():
            name = f"{entry.key}.{extension}"
            column, suffix = column_of(extension)
            if suffix not in SMALL_KINDS:
                items[column] = Media(kind_of(name), TarMember(shard, name, span), suffix)
            elif column == DETAILS:
                details = _decoded(small[name], suffix, f"{shard}:{name}")
            else:
                items[column] = _decoded(small[name], suffix, f"{shard}:{name}")
        if not isinstance(details, dict):
            raise DataError("is not a JSON object", source=f"{source}.{DETAILS}")
        return _sample(entry, items, dict(details), source)

    def _small(self, index: int, shard: Path | RemoteFile, entry: Entry) -> dict[str, bytes]:
        kept = self._kept.get(index)
        if kept is None:
            members = {
                f"{entry.key}.{extension}": span
                for extension, span in entry.members.items()
                if column_of(extension)[1] in SMALL_KINDS
            }
            kept = read_members(shard, members) if members else {}
            self._kept.put(index, kept, sum(map(len, kept.values())))
        return kept


def _sample(entry: Entry, items: dict[str, Any], details: dict[str, Any], source: str) -> Sample:
    """Makes a sample. details: the columns in the sample's JSON."""
    group, match = (
        None if details.get(name) is None else str(details[name]) for name in ("group", "match")
    )
    text = next((name for name in TEXT_COLUMNS if name in details), None)
    for name in ("id", "group", "match", "split"):
        details.pop(name, None)
    if text is not None and "text" not in items:
        items["text"] = details.pop(text)
    for name in _alternatives(details):
        details[name] = Alternatives(details[name])
    _as_recordings(items, details, source)
    _gather(items, details, source)
    if isinstance(items.get("text"), list):
        items["text"] = Alternatives(items["text"])
    items = {name: value for name, value in details.items() if value is not None} | items
    if entry.split is not None:
        items["split"] = entry.split
    identity = entry.id or entry.key
    return Sample(identity, identity if group is None else group, items, source, match)


def _alternatives(details: dict[str, Any]) -> list[str]:
    """Returns the columns whose lists `weft.data.formats._tar_writer` has marked as alternatives."""
    marked = details.pop(ALTERNATIVES, None)
    names = marked if isinstance(marked, list) else []
    return [name for name in names if isinstance(name, str) and isinstance(details.get(name), list)]


def _gather(items: dict[str, Any], details: dict[str, Any], source: str) -> None:
    """Merges the files of a column that `weft.data.formats._tar_writer` has marked as a list, in place."""
    marked = details.pop(LISTS, None)
    for name, count in marked.items() if isinstance(marked, dict) else ():
        if not isinstance(count, int) or not all(f"{name}.{n}" in items for n in range(count)):
            raise DataError(f"column '{name}' lacks one of its {count} files", source=source)
        items[name] = [items.pop(f"{name}.{n}") for n in range(count)]


def _as_recordings(items: dict[str, Any], details: dict[str, Any], source: str) -> None:
    """Restores kinds, rates and parts that `weft.data.formats._tar_writer` has recorded, in place."""
    noted = details.pop(RECORDINGS, None)
    for name, told in noted.items() if isinstance(noted, dict) else ():
        media = items.get(name)
        try:
            kind, rate, start, end = told
            if not isinstance(media, Media) or kind not in RECORDED:
                raise ValueError
            items[name] = replace(media, kind=kind, rate=rate, start=start, end=end)
        except (TypeError, ValueError):
            raise DataError(
                f"the recording of column '{name}' is {told!r:.60}, expected [kind, rate, start, end]",
                source=source,
            ) from None
        except WeftError as error:
            raise DataError(str(error), source=source) from None


def shards_of(path: Path) -> Sequence[Path | RemoteFile]:
    """Returns the shards of a folder, a file or a pattern such as train-{000..012}.tar."""
    address = address_of(path)
    if address is not None:
        return remote_shards(address, expand_braces(address))
    if path.is_dir():
        return sorted(p for p in path.iterdir() if p.suffix.lower() == ".tar")
    return [path] if path.exists() else [Path(name) for name in expand_braces(str(path))]


def expand_braces(pattern: str) -> list[str]:
    """Expands `a{01..03}` to a01, a02, a03 and `{x,y}` to x, y, as a shell does."""
    parts = re.split(r"\{([^{}]*)\}", pattern)
    choices = [[part] if n % 2 == 0 else _choices(part) for n, part in enumerate(parts)]
    return ["".join(chosen) for chosen in itertools.product(*choices)]


def _choices(inside: str) -> list[str]:
    numbers = re.fullmatch(r"(\d+)\.\.(\d+)", inside)
    if numbers is None:
        return inside.split(",")
    first, last = numbers.groups()
    return [str(n).zfill(len(first)) for n in range(int(first), int(last) + 1)]


def column_of(extension: str) -> tuple[str, str]:
    """Returns (column, kind) of a member: `jpg` -> image, jpg; `mask.PNG` -> mask, png; `txt` -> text, txt."""
    column, dot, kind = extension.rpartition(".")
    kind = kind.lower()
    return (column if dot else COLUMNS.get(kind, kind)), kind


def _samples_of(entry: Entry) -> list[Entry]:
    """Returns the samples that the members of one key form: one, unless file names contain further dots.

    By the WebDataset convention a key ends at the first dot, so `v1.0.png` and `v1.0.txt` are members `0.png` and
    `0.txt` of `v1`. If two members would thereby share a column and every name has a further dot, keys end at the
    last dot instead.
    """
    columns = Counter(column_of(extension)[0] for extension in entry.members)
    if max(columns.values()) == 1 or not all("." in extension for extension in entry.members):
        return [entry]
    found: dict[str, Entry] = {}
    for extension, place in entry.members.items():
        prefix, _, kind = extension.rpartition(".")
        key = f"{entry.key}.{prefix}"
        found.setdefault(key, Entry(key)).members[kind] = place
    return list(found.values())


def _check_columns(entry: Entry, source: str) -> None:
    """Raises DataError if two members would share a column."""
    members: dict[str, str] = {}
    for extension in entry.members:
        column, _ = column_of(extension)
        other = members.setdefault(column, extension)
        if other != extension:
            reason = f"its members '{other}' and '{extension}' would both be the column '{column}'"
            raise DataError(reason, source=source)


def _decoded(data: bytes, suffix: str, source: str) -> Any:
    try:
        return json.loads(data) if suffix == "json" else data.decode()
    except (ValueError, RecursionError) as error:
        raise DataError(f"cannot be decoded: {error}", source=source) from None
