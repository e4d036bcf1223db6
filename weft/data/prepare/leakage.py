"""Pictures that are there twice, and what two splits have in common."""

from collections import defaultdict
from collections.abc import Sequence

from weft.data.prepare.fingerprints import TURNS, LikePairs
from weft.data.prepare.report import Listing, Pair
from weft.data.prepare.scan import RowFacts

NO_SPLIT = "(none)"


def exact_listing(facts: Sequence[RowFacts], named: int) -> Listing:
    """Rows with the same picture, each paired with the first of its kind.

    Rows of one group are left out, here and among the near duplicates: the data says itself that
    they belong together, as the questions about one picture do.
    """
    first: dict[str, int] = {}
    pairs: list[Pair] = []
    for row, fact in enumerate(facts):
        if fact.digest is not None and (
            facts[seen := first.setdefault(fact.digest, row)].group != fact.group
        ):
            pairs.append(_pair(facts, seen, row))
    return _listing(pairs, named)


def near_listing(facts: Sequence[RowFacts], like: LikePairs, named: int) -> Listing:
    """Pairs that look alike without being the same file."""
    pairs = [
        _pair(facts, int(a), int(b), int(distance), round(float(similarity), 4), TURNS[turn].name)
        for a, b, distance, similarity, turn in zip(
            like.first, like.second, like.distance, like.similarity, like.turn, strict=True
        )
        if facts[a].digest != facts[b].digest and facts[a].group != facts[b].group
    ]
    return _listing(sorted(pairs, key=lambda pair: -pair.similarity), named)


def shared_groups(facts: Sequence[RowFacts]) -> list[str]:
    """Groups that have rows in more than one split."""
    splits: dict[str, set[str | None]] = defaultdict(set)
    for fact in facts:
        splits[fact.group].add(fact.split)
    return sorted(group for group, found in splits.items() if len(found) > 1)


def _listing(pairs: Sequence[Pair], named: int) -> Listing:
    """Pairs across splits are named first: they are the ones that spoil a measurement."""
    ordered = sorted(pairs, key=lambda pair: not pair.crosses)
    return Listing(len(pairs), sum(pair.crosses for pair in pairs), tuple(ordered[:named]))


def _pair(
    facts: Sequence[RowFacts],
    first: int,
    second: int,
    distance: int = 0,
    similarity: float = 1.0,
    turn: str = "",
) -> Pair:
    a, b = facts[first], facts[second]
    splits = (a.split or NO_SPLIT, b.split or NO_SPLIT)
    return Pair((first, second), (a.id, b.id), splits, distance, similarity, turn)
