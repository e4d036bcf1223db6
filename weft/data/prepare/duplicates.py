"""Rows that are there twice: the same content, or pictures that look alike, in the same columns."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from weft.data.prepare.fingerprints import NearConfig, near_pairs
from weft.data.prepare.leakage import looks_of
from weft.data.prepare.scan import RowFacts

Looks = Mapping[tuple[int, int], set[str]]
"""(row, row) with pictures that look alike -> the columns in which both have theirs, perhaps none."""


def like_rows(facts: Sequence[RowFacts], near: NearConfig, good: Sequence[bool]) -> Looks:
    """Of the rows that are good, those with pictures that look alike in any columns."""
    pictures = [each for each in looks_of(facts) if good[each.row]]
    like = near_pairs([each.look for each in pictures], near)
    found: dict[tuple[int, int], set[str]] = defaultdict(set)
    for a, b in zip(like.first.tolist(), like.second.tolist(), strict=True):
        first, second = pictures[a], pictures[b]
        if first.row != second.row:
            columns = found[first.row, second.row]
            columns |= {first.column} if first.column == second.column else set()
    return found


def find_duplicates(
    facts: Sequence[RowFacts], like: Looks, order: Sequence[int]
) -> dict[int, tuple[int, str]]:
    """Duplicate row -> (the row that stays, "exact" or "near"). Earlier rows in `order` stay.

    like: rows that also count where each of their pictures looks like the other's. Rows of one group
    are no duplicates: the data says that they belong together, as the questions about one picture do.
    """
    neighbours: dict[int, list[int]] = defaultdict(list)
    for (a, b), columns in like.items():
        if _covers(facts[a].content, facts[b].content, columns):
            neighbours[a].append(b)
            neighbours[b].append(a)
    stays: set[int] = set()
    first: dict[tuple[tuple[str, str], ...], int] = {}
    found: dict[int, tuple[int, str]] = {}
    for row in order:
        fact = facts[row]
        content = tuple(sorted(fact.content.items()))
        original = first.get(content) if content else None
        if original is not None and facts[original].group != fact.group:
            found[row] = (original, "exact")
            continue
        alike = [n for n in neighbours[row] if n in stays and facts[n].group != fact.group]
        if alike:
            found[row] = (min(alike), "near")
            continue
        stays.add(row)
        first.setdefault(content, row)
    return found


def _covers(first: Mapping[str, str], second: Mapping[str, str], alike: set[str]) -> bool:
    """Whether both have the same columns, and what is not alike in them is the same."""
    return first.keys() == second.keys() and all(
        column in alike or second[column] == digest for column, digest in first.items()
    )
