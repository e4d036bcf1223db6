"""Finds duplicate pictures, sounds, videos and files, and what two splits share."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from weft.core.kinds import Kind
from weft.data.prepare.fingerprints import TURNS, likeness
from weft.data.prepare.near_duplicates import LikePairs, NearConfig, near_pairs
from weft.data.prepare.report import NO_SPLIT, Listing, Pair
from weft.data.prepare.scan import RowFacts

FURTHER = 0.9
"""Minimum cosine similarity of the motion in two videos, and of their sound tracks."""


class Look(NamedTuple):
    """A picture, sound or video of a row, with its digest and its perceptual fingerprint.

    further: the other fingerprints of a video.
    """

    row: int
    column: str
    digest: str
    look: bytes
    kind: Kind = "image"
    further: tuple[bytes | None, ...] = ()


def looks_of(facts: Sequence[RowFacts]) -> list[Look]:
    """Returns the pictures, sounds and videos of all rows that have a fingerprint, in order."""
    return [
        Look(
            row,
            column,
            media.digest,
            media.look,
            media.kind,
            () if media.recording is None else media.recording.looks,
        )
        for row, fact in enumerate(facts)
        for column, media in fact.media.items()
        if media.look is not None and media.digest is not None
    ]


def distinct_looks(looks: Iterable[Look], splits: Sequence[str | None] = ()) -> Iterable[Look]:
    """Returns each picture once, at its first place. If the rows' splits are given, once in each split."""
    found: dict[tuple[str, str | None], Look] = {}
    for each in looks:
        found.setdefault((each.digest, splits[each.row] if splits else None), each)
    return found.values()


def like_looks(
    looks: Sequence[Look], near: NearConfig, *, against: int | None = None, shown: bool = False
) -> LikePairs:
    """Returns all pairs of one kind that look, or sound, alike, ordered by place in `looks`.

    against, shown: as in `near_pairs`.
    """
    found: list[LikePairs] = []
    for kind in dict.fromkeys(each.kind for each in looks):
        places = np.array([n for n, each in enumerate(looks) if each.kind == kind], dtype=np.intp)
        before = None if against is None else int((places < against).sum())
        prints = [looks[n].look for n in places]
        pairs = near_pairs(prints, near.of_kind(kind), against=before, shown=shown)
        pairs = replace(pairs, first=places[pairs.first], second=places[pairs.second])
        ends = zip(pairs.first.tolist(), pairs.second.tolist(), strict=True)
        kept = [_further_alike(looks[a], looks[b]) for a, b in ends]
        found.append(pairs.where(np.array(kept, dtype=np.bool_)))
    if len(found) == 1:
        return found[0]
    joined = LikePairs(
        *(
            np.concatenate([np.zeros(0, dtype), *(getattr(p, name) for p in found)])
            for name, dtype in LikePairs.TYPES.items()
        )
    )
    return joined.where(np.lexsort((joined.second, joined.first)))


def _further_alike(one: Look, other: Look) -> bool:
    """Whether the further fingerprints are similar, if both have them."""
    return all(
        likeness(a, b) >= FURTHER
        for a, b in zip(one.further, other.further, strict=False)
        if a is not None and b is not None
    )


def exact_listing(facts: Sequence[RowFacts], named: int) -> Listing:
    """Lists rows with the same content in any column, each paired with the first row that has it.

    Rows of one group are left out, here and among the near duplicates, since the data set itself groups them, such as
    questions about one picture.
    """
    first: dict[str, tuple[int, str]] = {}
    pairs: list[Pair] = []
    for row, fact in enumerate(facts):
        for column, digest in fact.content.items():
            seen, known_as = first.setdefault(digest, (row, column))
            if facts[seen].group != fact.group:
                pairs.append(_pair(facts, (seen, row), (known_as, column)))
    return _listing(pairs, named)


def near_listing(
    facts: Sequence[RowFacts], near: NearConfig, named: int, *, shown: bool = False
) -> Listing:
    """Lists pairs of similar pictures, sounds or videos that are not the same file. Each is compared once in each
    split.

    shown: progress goes to stderr.
    """
    pictures = list(distinct_looks(looks_of(facts), [fact.split for fact in facts]))
    like = like_looks(pictures, near, shown=shown)
    digests, groups, splits = (
        np.unique(names, return_inverse=True)[1]
        for names in (
            [each.digest for each in pictures],
            [facts[each.row].group for each in pictures],
            [facts[each.row].split or NO_SPLIT for each in pictures],
        )
    )
    differ = (digests[like.first] != digests[like.second]) & (
        groups[like.first] != groups[like.second]
    )
    crosses = splits[like.first] != splits[like.second]
    order = np.lexsort((-like.similarity.round(4), ~crosses))
    order = order[differ[order]]
    pairs = []
    for n in order[:named].tolist():
        first, second = pictures[like.first[n]], pictures[like.second[n]]
        pair = _pair(facts, (first.row, second.row), (first.column, second.column))
        similarity = round(float(like.similarity[n]), 4)
        turn = TURNS[like.turn[n]].name
        pairs.append(
            replace(pair, distance=int(like.distance[n]), similarity=similarity, turn=turn)
        )
    return Listing(len(order), int((crosses & differ).sum()), tuple(pairs))


def shared_groups(facts: Sequence[RowFacts]) -> list[str]:
    """Groups that have rows in more than one split."""
    splits: dict[str, set[str | None]] = defaultdict(set)
    for fact in facts:
        splits[fact.group].add(fact.split)
    return sorted(group for group, found in splits.items() if len(found) > 1)


def _listing(pairs: Sequence[Pair], named: int) -> Listing:
    """Lists pairs across splits first, since they distort a measurement."""
    ordered = sorted(pairs, key=lambda pair: not pair.crosses)
    return Listing(len(pairs), sum(pair.crosses for pair in pairs), tuple(ordered[:named]))


def _pair(facts: Sequence[RowFacts], rows: tuple[int, int], columns: tuple[str, str]) -> Pair:
    a, b = facts[rows[0]], facts[rows[1]]
    splits = (a.split or NO_SPLIT, b.split or NO_SPLIT)
    return Pair(rows, columns, (a.id, b.id), splits)
