"""Duplicate rows: the same content, or pictures that look alike, in the same columns."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from weft.data.prepare.leakage import distinct_looks, like_looks, looks_of
from weft.data.prepare.near_duplicates import NearConfig
from weft.data.prepare.scan import RowFacts

Looks = Mapping[str, set[str]]
"""Digest of a picture -> digests of the other pictures that look like it."""


def like_pictures(facts: Sequence[RowFacts], near: NearConfig, good: Sequence[bool]) -> Looks:
    """Finds similar pictures, sounds and videos among the good rows, in any columns."""
    pictures = list(distinct_looks(each for each in looks_of(facts) if good[each.row]))
    like = like_looks(pictures, near)
    found: dict[str, set[str]] = defaultdict(set)
    for a, b in zip(like.first.tolist(), like.second.tolist(), strict=True):
        found[pictures[a].digest].add(pictures[b].digest)
        found[pictures[b].digest].add(pictures[a].digest)
    return found


def find_duplicates(
    facts: Sequence[RowFacts], like: Looks, order: Sequence[int]
) -> dict[int, tuple[int, str]]:
    """Returns duplicate row -> (the row that stays, "exact" or "near"). Earlier rows in `order` stay.

    like: rows are also duplicates if each of their pictures resembles the other row's. Rows of one group never are,
    since the data set itself groups them, such as questions about one picture.
    """
    stays: dict[str, list[int]] = defaultdict(list)
    first: dict[tuple[tuple[str, str], ...], int] = {}
    found: dict[int, tuple[int, str]] = {}
    for row in order:
        fact = facts[row]
        content = tuple(sorted(fact.content.items()))
        original = first.get(content) if content else None
        if original is not None and facts[original].group != fact.group:
            found[row] = (original, "exact")
            continue
        near = {n for _, mine in content for other in like.get(mine, ()) for n in stays[other]}
        alike = [
            n
            for n in near
            if facts[n].group != fact.group and _covers(fact.content, facts[n].content, like)
        ]
        if alike:
            found[row] = (min(alike), "near")
            continue
        for _, digest in content:
            stays[digest].append(row)
        first.setdefault(content, row)
    return found


def _covers(first: Mapping[str, str], second: Mapping[str, str], like: Looks) -> bool:
    """Whether both have the same columns, each with equal or similar content."""
    return first.keys() == second.keys() and all(
        second[column] == digest or second[column] in like.get(digest, ())
        for column, digest in first.items()
    )
