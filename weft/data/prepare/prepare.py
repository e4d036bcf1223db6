"""`weft data prepare`: raw files in any layout -> clean, split shards, on all cores, resumable.

A run that is killed at any moment and started again continues from its finished units and ends with the same bytes as
an uninterrupted run. Every unit is written whole or not at all, and its content is a function of the data and the
config alone.
"""

import dataclasses
import json
import logging
import shutil
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weft.core.config import to_json
from weft.core.documents import checksum
from weft.core.errors import DataError, WeftError
from weft.core.files import read_file, write_text
from weft.data.formats import Dataset, open_dataset
from weft.data.prepare.check import CheckConfig, metadata_of, report_of
from weft.data.prepare.clean import mismatched
from weft.data.prepare.engines import build_engine
from weft.data.prepare.plan import Dropped, Plan, PrepareConfig, make_plan
from weft.data.prepare.report import DataReport
from weft.data.prepare.scan import scan
from weft.data.prepare.split import described, lopsided
from weft.data.prepare.write import Job, Written, rows_by_split, shards_of, write_all
from weft.data.stamps import stamp

VERSION = 3
"""Version of the results for the same rows and settings. A folder of another version is not continued."""
WORK = ".work"
MANIFEST = "manifest.json"
QUARANTINE = Path("quarantine") / "dropped.jsonl"

log = logging.getLogger("weft.data")

Card = Callable[[DataReport, Path], object]


@dataclass(frozen=True)
class PrepareResult:
    """The result. rows_in == rows_out + the sum of `dropped`; captions: in == out + the rest.

    metadata: kind of private metadata -> number of stored pictures whose files had it before.
    """

    out: Path
    rows_in: int
    rows_out: int
    dropped: dict[str, int]
    captions: dict[str, int]
    splits: dict[str, int]
    metadata: dict[str, int]
    shards: tuple[str, ...]


def prepare(
    dataset: Dataset,
    out: Path | str,
    config: PrepareConfig | None = None,
    *,
    name: str = "data",
    row_errors: Sequence[DataError] = (),
    card: Card | None = None,
    progress: bool = False,
) -> PrepareResult:
    """Cleans, deduplicates, splits and shards `dataset` into the folder `out`.

    row_errors: rows that the reader of the format left out; they are listed as dropped. card: called with the report
    on the result and the folder, to write the data card. Raises WeftError if `out` holds something else, or if no row
    can be used.
    """
    config = config or PrepareConfig()
    out = Path(out)
    engine = build_engine(config.engine, config.workers)
    wrong = mismatched(config.clean.without)
    identity = _identity(dataset, row_errors, config, wrong)
    if (done := _finished(out, identity)) is not None:
        return done
    _claim(out, identity)
    facts = scan(dataset, engine=engine, progress=progress, kept=out / WORK, outside=config.outside)
    plan = make_plan(facts, config, wrong)
    _require_rows(plan, out)
    kept, assigned = [facts[one.row] for one in plan.kept], [one.split for one in plan.kept]
    given, groups = [fact.split for fact in kept], [fact.group for fact in kept]
    lines = (
        described(given, assigned, config.split),
        lopsided(groups, given, assigned, config.split),
    )
    for line in filter(None, lines):
        log.warning("%s: %s", out, line)
    shards = shards_of(plan, config.shard_rows)
    job = Job(dataset, facts, out, config, wrong)
    written = write_all(job, shards, engine, out / WORK, progress=progress)
    dropped = [Dropped(-1, "", e.source, "unreadable", e.reason) for e in row_errors]
    dropped += plan.dropped
    left = (json.dumps(dataclasses.asdict(row), ensure_ascii=False) + "\n" for row in dropped)
    write_text(out / QUARANTINE, "".join(left))
    if card is not None:
        stored = [fact for shard in written for fact in shard.facts]
        check = CheckConfig(near=config.near, workers=config.workers)
        card(report_of(stored, open_dataset(out, format="webdataset"), check, name=name), out)
    metadata = metadata_of([facts[kept.row] for kept in plan.kept])
    manifest = _manifest(identity, plan, dropped, written)
    manifest["metadata"] = metadata
    write_text(out / MANIFEST, json.dumps(manifest, indent=1, ensure_ascii=False) + "\n")
    shutil.rmtree(out / WORK)
    return _result(out, manifest)


def _identity(
    dataset: Dataset,
    row_errors: Sequence[DataError],
    config: PrepareConfig,
    wrong: Mapping[str, Collection[str]],
) -> dict[str, Any]:
    """Returns the identity that an interrupted run must share with the run that continues it.

    Files count by name and size, so that a run can continue on a copy of the data.
    """
    rows = len(dataset)
    settings = to_json(config.replace(workers=None))
    return {
        "version": VERSION,
        "rows": rows,
        "row_errors": [str(error) for error in row_errors],
        "data": stamp(dataset, range(rows), times=False),
        "mismatched": checksum({name: sorted(texts) for name, texts in wrong.items()}),
        "config": {key: value for key, value in settings.items() if key != "engine"},
    }


def _finished(out: Path, identity: dict[str, Any]) -> PrepareResult | None:
    """Returns the result of the same run if it has already finished."""
    manifest = _read_json(out / MANIFEST)
    if manifest is None:
        return None
    before = manifest.get("identity")
    _require_version(before, out)
    if before != identity:
        raise WeftError(f"{out}: already holds other prepared data; give an empty folder")
    try:
        result = _result(out, manifest)
    except (KeyError, TypeError) as error:
        raise WeftError(f"{out / MANIFEST}: is damaged ({error}); give an empty folder") from None
    shutil.rmtree(out / WORK, ignore_errors=True)
    return result


def _require_version(identity: Any, out: Path) -> None:
    found = identity.get("version") if isinstance(identity, dict) else None
    if isinstance(found, int) and found != VERSION:
        raise WeftError(
            f"{out}: was prepared by another version of weft ({found}, expected {VERSION}); "
            "give an empty folder"
        )


def _read_json(path: Path) -> dict[str, Any] | None:
    """Returns None if the file holds no JSON object."""
    try:
        value = json.loads(read_file(path))
    except (OSError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _claim(out: Path, identity: dict[str, Any]) -> None:
    """Makes `out` this run's folder, or verifies that it is. Removes incomplete files of a killed run."""
    started = out / WORK / "run.json"
    if started.exists():
        before = _read_json(started)
        _require_version(before, out)
        if before != identity:
            raise WeftError(
                f"{out}: holds an unfinished run on other data or with other settings; "
                "remove it or give an empty folder"
            )
        for folder in (out, out / WORK, out / QUARANTINE.parent):
            for half in folder.glob(".*.tmp"):
                half.unlink()
        return
    if out.exists() and (not out.is_dir() or any(p.name != WORK for p in out.iterdir())):
        raise WeftError(f"{out}: is not an empty folder")
    try:
        started.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WeftError(f"{out}: cannot be written: {error.strerror}") from None
    write_text(started, json.dumps(identity, ensure_ascii=False))


def _require_rows(plan: Plan, out: Path) -> None:
    if not plan.kept:
        reasons = ", ".join(f"{n} {reason}" for reason, n in _reasons(plan.dropped).items())
        if plan.dropped:
            reasons += f"; the first one: {plan.dropped[0].source}: {plan.dropped[0].details}"
        shutil.rmtree(out / WORK)
        raise WeftError(f"{out}: no row is left to write: {reasons or 'the data holds no rows'}")


def _reasons(dropped: Sequence[Dropped]) -> dict[str, int]:
    return dict(sorted(Counter(row.reason for row in dropped).items()))


def _manifest(
    identity: dict[str, Any], plan: Plan, dropped: Sequence[Dropped], written: Sequence[Written]
) -> dict[str, Any]:
    return {
        "identity": identity,
        "rows": {"in": len(plan.kept) + len(dropped), "out": len(plan.kept)},
        "dropped": _reasons(dropped),
        "captions": plan.captions,
        "splits": dict(rows_by_split(plan)),
        "shards": {
            shard.name: {"rows": len(shard.facts), "bytes": shard.size, "blake2b": shard.digest}
            for shard in written
        },
    }


def _result(out: Path, manifest: dict[str, Any]) -> PrepareResult:
    return PrepareResult(
        out=out,
        rows_in=manifest["rows"]["in"],
        rows_out=manifest["rows"]["out"],
        dropped=manifest["dropped"],
        captions=manifest["captions"],
        splits=manifest["splits"],
        metadata=manifest["metadata"],
        shards=tuple(manifest["shards"]),
    )
