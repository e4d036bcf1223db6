"""Writes the rows of a plan as shards. Each shard is one unit of work, complete or absent."""

import hashlib
import json
import platform
import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from weft.core.config import from_json, to_json
from weft.core.errors import DataError, WeftError
from weft.core.files import open_file, read_file, write_bytes
from weft.core.media import Alternatives
from weft.core.progress import progress as core_progress
from weft.core.samples import Sample
from weft.data.formats import Dataset, open_dataset
from weft.data.formats._tar_writer import write_shard
from weft.data.prepare.captions import captions_of
from weft.data.prepare.clean import clean_captions
from weft.data.prepare.engines import Engine
from weft.data.prepare.pictures import stored_items
from weft.data.prepare.plan import Kept, Plan, PrepareConfig, merged_captions
from weft.data.prepare.scan import (
    RowFacts,
    facts_json,
    facts_of,
    handed,
    scan_row,
    taken,
)


@dataclass(frozen=True)
class Shard:
    """One shard to write: its file name and its rows."""

    name: str
    rows: tuple[Kept, ...]


@dataclass(frozen=True)
class Written:
    """A finished shard: blake2b digest of the file, its size, and the facts from a scan of it."""

    name: str
    digest: str
    size: int
    facts: tuple[RowFacts, ...]


@dataclass(frozen=True)
class Job:
    """Input for writing shards. facts: of all rows, in order. wrong: id -> captions that do not belong to the row."""

    dataset: Dataset
    facts: Sequence[RowFacts]
    out: Path
    config: PrepareConfig
    wrong: Mapping[str, Collection[str]] = field(default_factory=dict)

    def wrong_of(self, row: int) -> list[str]:
        """Returns the captions of that row that do not belong to it."""
        return sorted(self.wrong.get(self.facts[row].id, ()))


def shards_of(plan: Plan, shard_rows: int) -> list[Shard]:
    """Divides the plan's rows into shards of `shard_rows`, in order, separately for each split."""
    rows: dict[str, list[Kept]] = defaultdict(list)
    for kept in plan.kept:
        rows[re.sub(r"[^\w-]", "_", kept.split)].append(kept)
    return [
        Shard(f"{split}-{number:06d}.tar", tuple(rows[split][start : start + shard_rows]))
        for split in sorted(rows)
        for number, start in enumerate(range(0, len(rows[split]), shard_rows))
    ]


def write_all(
    job: Job, shards: Sequence[Shard], engine: Engine, work: Path, *, progress: bool
) -> list[Written]:
    """Writes the missing shards and returns all, in order. work: folder of notes about finished shards."""
    written: dict[int, Written] = {}
    rows = sum(len(shard.rows) for shard in shards)
    with core_progress("writing shards", rows, shown=progress) as advance:
        shared = {
            "out": str(job.out),
            "work": str(work),
            "config": to_json(job.config),
        }
        for number, made in engine.run(_write_one, shared, _Units(job, shards)):
            written[number] = _written(shards[number].name, made)
            advance(len(written[number].facts))
    return [written[number] for number in range(len(shards))]


class _Units(Sequence[Any]):
    """The shards with their rows as JSON values, read on request."""

    def __init__(self, job: Job, shards: Sequence[Shard]) -> None:
        self._job = job
        self._shards = shards

    def __len__(self) -> int:
        return len(self._shards)

    def __getitem__(self, number: int) -> dict[str, Any]:  # type: ignore[override]
        job, shard = self._job, self._shards[number]
        rows = [
            {
                "row": handed(job.dataset, kept.row),
                "split": kept.split,
                "wrong": job.wrong_of(kept.row),
                "merged": [(job.facts[row].captions, job.wrong_of(row)) for row in kept.merged],
            }
            for kept in shard.rows
        ]
        return {"name": shard.name, "rows": rows}


def _write_one(shared: dict[str, Any], unit: dict[str, Any]) -> bytes:
    """Writes a shard, and reads it again with the reader of the format."""
    name, rows, work = unit["name"], unit["rows"], Path(shared["work"])
    path, notes = Path(shared["out"]) / name, work / f"{name}.json"
    config = from_json(shared["config"], PrepareConfig, "a worker's settings")
    if not work.is_dir():
        raise WeftError(
            f"{work}: is not seen by the worker on {platform.node()}; "
            "the machines of a cluster need storage that all of them share"
        )
    if path.exists() and (finished := _finished(notes, name)) is not None:
        return finished
    write_shard((_sample(row, config) for row in rows), path)
    stored = open_dataset(path)
    facts = tuple(scan_row(lambda row=row: stored[row], row) for row in range(len(stored)))  # type: ignore[misc]
    broken = next((fact for fact in facts if fact.error), None)
    if broken is not None or len(facts) != len(rows):
        what = f"{broken.source}: {broken.error}" if broken else f"{len(facts)} rows"
        raise WeftError(f"{path}: was not written as planned ({len(rows)} rows): {what}")
    digest = _digest(path)
    values = {"digest": digest, "size": path.stat().st_size, "facts": facts_json(facts)}
    made = json.dumps(values).encode()
    write_bytes(notes, made)
    return made


def _digest(path: Path) -> str:
    """Returns 32 hex digits for a shard, which may be larger than memory."""
    found = hashlib.blake2b(digest_size=16)
    with open_file(path) as file:
        while piece := file.read(1 << 20):
            found.update(piece)
    return found.hexdigest()


def _finished(notes: Path, name: str) -> bytes | None:
    """Returns the note about a shard; None if it is missing or damaged, so that the shard is written again."""
    try:
        made = read_file(notes)
        _written(name, made)
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None
    return made


def _written(name: str, made: bytes) -> Written:
    values = json.loads(made)
    return Written(name, values["digest"], values["size"], tuple(facts_of(values["facts"])))


def _sample(row: dict[str, Any], config: PrepareConfig) -> Sample:
    """Returns the row as stored: captions cleaned and merged, the picture scaled down if configured."""
    sample = taken(row["row"])
    items: dict[str, Any] = {**sample.items, "split": row["split"]}
    own, *others = (
        clean_captions(captions, config.clean, wrong)[0]
        for captions, wrong in ((captions_of(items), row["wrong"]), *row["merged"])
    )
    for column, captions in merged_captions(own, others).items():
        if not captions:
            items.pop(column, None)
        elif len(captions) == 1 and isinstance(items.get(column), str):
            items[column] = captions[0]
        else:
            items[column] = Alternatives(captions)
    try:
        items = stored_items(items, config)
    except WeftError as error:
        raise DataError(str(error), source=sample.source) from None
    return replace(sample, items=items)


def rows_by_split(plan: Plan) -> Iterator[tuple[str, int]]:
    """(split, number of rows), in order of name."""
    counts: dict[str, int] = defaultdict(int)
    for kept in plan.kept:
        counts[kept.split] += 1
    yield from sorted(counts.items())
