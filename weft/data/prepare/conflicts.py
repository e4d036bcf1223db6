"""Duplicates whose labels differ: at least one of the two labels is wrong, or the classes overlap."""

from collections.abc import Hashable, Iterable, Sequence

from weft.core.errors import WeftError, brief
from weft.core.missing import is_missing
from weft.core.text import folded, words
from weft.data.formats import Dataset
from weft.data.prepare.report import Pair, Problem
from weft.data.prepare.scan import RowFacts

LEAST_WORDS = 3
"""A row without pictures and sounds is compared by its texts if they have this many words: short ones repeat."""


def conflicts(
    facts: Sequence[RowFacts], near: Iterable[Pair], dataset: Dataset, labels: Sequence[str]
) -> list[Problem]:
    """Returns a problem for each row whose pictures, sounds, videos and texts are those of an earlier row, while a
    label differs.

    near: pairs of rows with similar content, which are compared, too. labels: columns of labels. Rows that lack a label
    are left out.
    """
    first: dict[Hashable, int] = {}
    pairs: list[tuple[int, int, str]] = []
    for row, fact in enumerate(facts):
        texts = _texts(fact)
        known = fact.content or sum(len(words(text)) for text in texts) >= LEAST_WORDS
        if labels and fact.error is None and known:
            key = (tuple(sorted(fact.content.items())), texts)
            pairs.append((first.setdefault(key, row), row, "the same content as"))
    pairs += [
        (min(pair.rows), max(pair.rows), "nearly the same content as")
        for pair in near
        if labels and _texts(facts[pair.rows[0]]) == _texts(facts[pair.rows[1]])
    ]
    found: dict[int, Problem] = {}
    for before, row, how in pairs:
        if before == row or row in found:
            continue
        for column in labels:
            old, new = (_label(dataset, one, column) for one in (before, row))
            if None not in (old, new) and old != new:
                fact, other = facts[row], facts[before].source
                reason = f"{how} {other}, but {column} {brief(new)} instead of {brief(old)}"
                found.setdefault(row, Problem(row, fact.id, fact.source, reason))
    return [found[row] for row in sorted(found)]


def _texts(fact: RowFacts) -> tuple[str, ...]:
    return tuple(map(folded, fact.all_captions))


def _label(dataset: Dataset, row: int, column: str) -> str | None:
    try:
        value = dataset[row].items.get(column)
    except WeftError:
        return None
    return None if is_missing(value) else str(value)
