"""Duplicates whose labels differ: at least one of the two labels is wrong, or the classes overlap."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence

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
    found: dict[int, Problem] = {}
    alike = [*_same(facts), *_nearly_same(facts, near)] if labels else []
    for rows, how in alike:
        for column in labels:
            every = ((row, _label(dataset, row, column)) for row in rows)
            labelled = [(row, label) for row, label in every if label is not None]
            for row, label in labelled[1:]:
                before, first = labelled[0]
                if label != first:
                    fact, other = facts[row], facts[before].source
                    reason = f"{how} {other}, but {column} {brief(label)} instead of {brief(first)}"
                    found.setdefault(row, Problem(row, fact.id, fact.source, reason))
    return [found[row] for row in sorted(found)]


Alike = tuple[Sequence[int], str]
"""Rows, in order, and how similar the later ones are to the first."""


def _same(facts: Sequence[RowFacts]) -> Iterator[Alike]:
    same: dict[Hashable, list[int]] = defaultdict(list)
    for row, fact in enumerate(facts):
        texts = _texts(fact)
        known = fact.content or sum(len(words(text)) for text in texts) >= LEAST_WORDS
        if fact.error is None and known:
            same[tuple(sorted(fact.content.items())), texts].append(row)
    return ((rows, "the same content as") for rows in same.values() if len(rows) > 1)


def _nearly_same(facts: Sequence[RowFacts], near: Iterable[Pair]) -> Iterator[Alike]:
    for pair in near:
        if len({_texts(facts[row]) for row in pair.rows}) == 1:
            yield sorted(pair.rows), "nearly the same content as"


def _texts(fact: RowFacts) -> tuple[str, ...]:
    return tuple(map(folded, fact.all_captions))


def _label(dataset: Dataset, row: int, column: str) -> str | None:
    try:
        value = dataset[row].items.get(column)
    except WeftError:
        return None
    return None if is_missing(value) else str(value)
