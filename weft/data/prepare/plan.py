"""What becomes of each row: a pure function of what the scan found and the config."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from weft.core.config import Settings
from weft.core.errors import unknown_name
from weft.data.prepare.clean import CleanConfig, clean_captions, unusable
from weft.data.prepare.engines import EngineName
from weft.data.prepare.fingerprints import LikePairs, NearConfig, components, near_pairs
from weft.data.prepare.scan import RowFacts
from weft.data.prepare.split import SplitConfig, assign_splits, leaking_rows, rank


@dataclass(frozen=True)
class PrepareConfig(Settings):
    """How `weft data prepare` turns raw rows into clean shards."""

    clean: CleanConfig = field(default_factory=CleanConfig)
    """Which rows and captions are usable."""
    near: NearConfig = field(default_factory=NearConfig)
    """When two pictures count as near duplicates: they never lie in two splits made here."""
    duplicates: Literal["exact", "near"] = "exact"
    """Of equal (or also of nearly equal) pictures the first stays, a test picture before others."""
    merge_captions: bool = True
    """The captions of a duplicate go to the picture that stays, within one split."""
    split: SplitConfig = field(default_factory=SplitConfig)
    """How rows are divided into train, validation and test."""
    max_side: int | None = None
    """Pictures whose longer side exceeds this (pixels) are made smaller; None: stored as they are."""
    quality: int = 90
    """JPEG quality of the pictures that are made smaller."""
    keep_metadata: bool = False
    """Keep what the files of pictures tell beside the pixels: place (GPS), time, camera, owner, comments. Without it JPEG, PNG and WebP lose it with their pixels as they are; other formats that have any are written anew."""
    outside: bool = False
    """Also take in files that rows name outside the data's folder, by an absolute path or by '..'. Without it such rows are left out: a table of somebody else's could put any file of this machine into the shards."""
    shard_rows: int = 1000
    """Rows in a shard."""
    workers: int | None = None
    """Processes; by default one a core. The output does not depend on it."""
    engine: EngineName = "processes"
    """What spreads the work: processes of this machine, daft, or daft on a Ray cluster (of RAY_ADDRESS). The output does not depend on it."""

    def __post_init__(self) -> None:
        if self.shard_rows < 1 or not 1 <= self.quality <= 100:
            raise ValueError(
                f"shard_rows is {self.shard_rows} and quality {self.quality}, "
                "expected at least 1 and 1 to 100"
            )
        if self.engine not in get_args(EngineName):
            raise unknown_name("engine", self.engine, get_args(EngineName))
        if self.max_side is not None and self.max_side < 1:
            raise ValueError(f"max_side is {self.max_side}, expected at least 1")


@dataclass(frozen=True)
class Kept:
    """A row that stays. merged: rows whose captions it also gets."""

    row: int
    split: str
    merged: tuple[int, ...] = ()


@dataclass(frozen=True)
class Dropped:
    """A row that does not stay, and why."""

    row: int
    id: str
    source: str
    reason: str
    details: str


@dataclass(frozen=True)
class Plan:
    """kept and dropped hold each row once, in order. captions: what became of all captions."""

    kept: tuple[Kept, ...]
    dropped: tuple[Dropped, ...]
    captions: dict[str, int]


def make_plan(facts: Sequence[RowFacts], config: PrepareConfig) -> Plan:
    """Cleans, then divides, then drops duplicates and leaks."""
    cleaned = [clean_captions(fact.captions, config.clean) for fact in facts]
    reasons = _unusable_rows(facts, [kept for kept, _ in cleaned], config)
    good = [row not in reasons for row in range(len(facts))]
    like = near_pairs(
        [f.look if ok else None for f, ok in zip(facts, good, strict=True)], config.near
    )
    clusters = _clusters(facts, like)
    splits = assign_splits(
        [f.group for f in facts], [f.split for f in facts], clusters, config.split
    )
    order = sorted((r for r, ok in enumerate(good) if ok), key=lambda r: (rank(splits[r]), r))
    originals = _duplicates(facts, like, order, near=config.duplicates == "near")
    for row, (original, kind) in originals.items():
        reasons[row] = (f"{kind} duplicate", f"of {facts[original].id} ({splits[original]})")
    if config.split.drop_leaks:
        left = np.array([row for row in range(len(facts)) if row not in reasons], dtype=np.intp)
        for n, split in leaking_rows([splits[row] for row in left], clusters[left]).items():
            row = int(left[n])
            reasons[row] = ("leak", f"its group or nearly the same picture is in {split}")
    merged: dict[int, list[int]] = defaultdict(list)
    if config.merge_captions:
        for row, (original, _) in sorted(originals.items()):
            if splits[row] == splits[original] and original not in reasons:
                merged[original].append(row)
    return Plan(
        kept=tuple(
            Kept(row, splits[row], tuple(merged[row]))
            for row in range(len(facts))
            if row not in reasons
        ),
        dropped=tuple(
            Dropped(row, facts[row].id, facts[row].source, *reasons[row]) for row in sorted(reasons)
        ),
        captions=_caption_counts(facts, cleaned, reasons, merged),
    )


def merged_captions(own: Sequence[str], others: Sequence[Sequence[str]]) -> list[str]:
    """A row's captions, then those of its duplicates that it does not have yet."""
    result = list(own)
    for captions in others:
        result += [caption for caption in captions if caption not in result]
    return result


def _unusable_rows(
    facts: Sequence[RowFacts], captions: Sequence[list[str]], config: PrepareConfig
) -> dict[int, tuple[str, str]]:
    reasons: dict[int, tuple[str, str]] = {}
    ids: dict[str, str] = {}
    for row, (fact, kept) in enumerate(zip(facts, captions, strict=True)):
        reason = unusable(fact, kept, config.clean)
        if reason is None and fact.id in ids:
            reason = ("repeated id", f"the id is already used at {ids[fact.id]}")
        if reason is None:
            ids[fact.id] = fact.source
        else:
            reasons[row] = reason
    return reasons


def _clusters(facts: Sequence[RowFacts], like: LikePairs) -> NDArray[np.intp]:
    """Label of each row: rows of one group, with the same picture or with like ones share it."""
    first, second = [like.first], [like.second]
    for keys in ([f.group for f in facts], [f.digest for f in facts]):
        seen: dict[str, int] = {}
        pairs = [
            (seen.setdefault(key, row), row) for row, key in enumerate(keys) if key is not None
        ]
        ends = np.array(pairs, dtype=np.intp).reshape(-1, 2)
        first.append(ends[:, 0])
        second.append(ends[:, 1])
    return components(len(facts), np.concatenate(first), np.concatenate(second))


def _duplicates(
    facts: Sequence[RowFacts], like: LikePairs, order: Sequence[int], *, near: bool
) -> dict[int, tuple[int, str]]:
    """Duplicate row -> (the row that stays, "exact" or "near"). Earlier rows in `order` stay.

    Rows of one group are no duplicates: the data says that they belong together, as the questions
    about one picture do.
    """
    neighbours: dict[int, list[int]] = defaultdict(list)
    if near:
        for a, b in zip(like.first.tolist(), like.second.tolist(), strict=True):
            neighbours[a].append(b)
            neighbours[b].append(a)
    stays: set[int] = set()
    same_picture: dict[str, int] = {}
    found: dict[int, tuple[int, str]] = {}
    for row in order:
        fact = facts[row]
        original = None if fact.digest is None else same_picture.get(fact.digest)
        if original is not None and facts[original].group != fact.group:
            found[row] = (original, "exact")
            continue
        alike = [n for n in neighbours[row] if n in stays and facts[n].group != fact.group]
        if alike:
            found[row] = (min(alike), "near")
            continue
        stays.add(row)
        if fact.digest is not None:
            same_picture.setdefault(fact.digest, row)
    return found


def _caption_counts(
    facts: Sequence[RowFacts],
    cleaned: Sequence[tuple[list[str], list[str]]],
    reasons: dict[int, tuple[str, str]],
    merged: dict[int, list[int]],
) -> dict[str, int]:
    """in == out + the sum of all other entries."""
    counts: Counter[str] = Counter()
    for row, (kept, left_out) in enumerate(cleaned):
        counts.update(left_out)
        if row in reasons:
            counts["row left out"] += len(kept)
        else:
            others = [cleaned[other][0] for other in merged[row]] if row in merged else []
            total = len(merged_captions(kept, others))
            counts["out"] += total
            counts["row left out"] -= total - len(kept)
    parts = {reason: count for reason, count in sorted(counts.items()) if count}
    return {"in": sum(len(fact.captions) for fact in facts), "out": 0, **parts}
