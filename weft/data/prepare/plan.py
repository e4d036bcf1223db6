"""Plans what happens to each row; a pure function of the scan's results and the config."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from weft.core.config import Settings
from weft.core.errors import unknown_name
from weft.core.ranges import COUNT, at_least, require
from weft.data.prepare.clean import (
    Captions,
    CleanConfig,
    clean_captions,
    unusable,
)
from weft.data.prepare.duplicates import Looks, find_duplicates, like_pictures
from weft.data.prepare.engines import EngineName
from weft.data.prepare.near_duplicates import NearConfig, components
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
    """Duplicates to remove: rows whose pictures, sounds, videos and files in the same columns are equal (or also nearly
    equal). The first row stays; test rows come first."""
    merge_captions: bool = True
    """If true, the captions of a duplicate are added to the picture that stays, within one split."""
    split: SplitConfig = field(default_factory=SplitConfig)
    """How rows are divided into train, validation and test."""
    max_side: int | None = None
    """Maximum length of a picture's longer side, in pixels. Larger pictures are scaled down. None stores all pictures
    as they are."""
    quality: int = 90
    """JPEG quality of pictures that are scaled down."""
    keep_metadata: bool = False
    """If true, keep the metadata of picture files: place (GPS), time, camera, owner, comments. If false, JPEG, PNG and
    WebP files lose the metadata and keep their pixels; other formats with metadata are encoded again."""
    outside: bool = False
    """If true, accept files outside the data folder, named by an absolute path or by '..'. If false, such rows are left
    out, so that somebody else's table cannot put any file of this machine into the shards."""
    shard_rows: int = 1000
    """Number of rows in a shard."""
    workers: int | None = None
    """Number of processes. Default: one per core. The output does not depend on it."""
    engine: EngineName = "processes"
    """Engine for parallel work: processes of this machine, daft, or daft on a Ray cluster (at RAY_ADDRESS). The output
    does not depend on it."""

    def __post_init__(self) -> None:
        require(self, shard_rows=COUNT, quality=at_least(1, 100), max_side=COUNT, workers=COUNT)
        if self.engine not in get_args(EngineName):
            raise unknown_name("engine", self.engine, get_args(EngineName))


@dataclass(frozen=True)
class Kept:
    """A row that is kept. merged: rows whose captions are added to it."""

    row: int
    split: str
    merged: tuple[int, ...] = ()


@dataclass(frozen=True)
class Dropped:
    """A row that is left out, and why."""

    row: int
    id: str
    source: str
    reason: str
    details: str


@dataclass(frozen=True)
class Plan:
    """kept and dropped together hold each row once, in order. captions: the fate of all captions, counted."""

    kept: tuple[Kept, ...]
    dropped: tuple[Dropped, ...]
    captions: dict[str, int]


def make_plan(
    facts: Sequence[RowFacts],
    config: PrepareConfig,
    wrong: Mapping[str, Collection[str]] | None = None,
) -> Plan:
    """Cleans, then splits, then drops duplicates and leaks. wrong: see `mismatched`."""
    wrong = wrong or {}
    cleaned = [
        clean_captions(fact.captions, config.clean, wrong.get(fact.id, ())) for fact in facts
    ]
    reasons = _unusable_rows(facts, [kept for kept, _ in cleaned], config)
    for row, fact in enumerate(facts):
        if "" in wrong.get(fact.id, ()) and row not in reasons:
            reasons[row] = (
                "mismatch",
                f"its parts do not belong together by {config.clean.without}",
            )
    good = [row not in reasons for row in range(len(facts))]
    like = like_pictures(facts, config.near, good)
    clusters = clusters_of(facts, like)
    splits = assign_splits(
        [f.group for f in facts], [f.split for f in facts], clusters, config.split
    )
    order = sorted((r for r, ok in enumerate(good) if ok), key=lambda r: (rank(splits[r]), r))
    originals = find_duplicates(facts, like if config.duplicates == "near" else {}, order)
    for row, (original, kind) in originals.items():
        reasons[row] = (f"{kind} duplicate", f"of {facts[original].id} ({splits[original]})")
    if config.split.drop_leaks:
        left = np.array([row for row in range(len(facts)) if row not in reasons], dtype=np.intp)
        for n, split in leaking_rows([splits[row] for row in left], clusters[left]).items():
            row = int(left[n])
            reasons[row] = ("leak", f"its group, content or nearly the same picture is in {split}")
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


def merged_captions(own: Captions, others: Sequence[Captions]) -> dict[str, list[str]]:
    """Returns a row's captions by column, then the captions of its duplicates that it does not have yet."""
    result = {column: list(captions) for column, captions in own.items()}
    for captions_of in others:
        for column, captions in captions_of.items():
            known = result.setdefault(column, [])
            known += [caption for caption in captions if caption not in known]
    return result


def _unusable_rows(
    facts: Sequence[RowFacts], captions: Sequence[Captions], config: PrepareConfig
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


def clusters_of(facts: Sequence[RowFacts], like: Looks) -> NDArray[np.intp]:
    """Returns the label of each row. Rows of one group, with the same content in any column, or with similar pictures
    share a label."""
    pairs: list[tuple[int, int]] = []
    seen: dict[tuple[str, str], int] = {}
    for row, fact in enumerate(facts):
        keys = [("group", fact.group), *(("content", digest) for digest in fact.content.values())]
        pairs += [(seen.setdefault(key, row), row) for key in keys]
    pairs += [
        (seen["content", digest], seen["content", other])
        for digest, others in like.items()
        for other in others
    ]
    first, second = np.array(pairs, dtype=np.intp).reshape(-1, 2).T
    return components(len(facts), first, second)


def _caption_counts(
    facts: Sequence[RowFacts],
    cleaned: Sequence[tuple[Captions, list[str]]],
    reasons: dict[int, tuple[str, str]],
    merged: dict[int, list[int]],
) -> dict[str, int]:
    """Returns counts with in == out + the sum of all other entries."""
    counts: Counter[str] = Counter()
    for row, (kept, left_out) in enumerate(cleaned):
        counts.update(left_out)
        if row in reasons:
            counts["row left out"] += _count(kept)
        else:
            others = [cleaned[other][0] for other in merged[row]] if row in merged else []
            total = _count(merged_captions(kept, others))
            counts["out"] += total
            counts["row left out"] -= total - _count(kept)
    parts = {reason: count for reason, count in sorted(counts.items()) if count}
    return {"in": sum(_count(fact.captions) for fact in facts), "out": 0, **parts}


def _count(captions: Captions) -> int:
    return sum(map(len, captions.values()))
