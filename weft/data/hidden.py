"""A control: words of a text are hidden, so that only the other streams can tell them."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from weft.core.errors import WeftError, unknown_name
from weft.core.media import Alternatives
from weft.core.samples import Sample
from weft.core.text import unspaced
from weft.data.formats import Dataset, columns_of

HIDDEN = "█"
"""Stands for each hidden word. It is a token of its own for the tokenizers that learn from the training rows."""


class Hidden(Sequence[Sample]):
    """The rows of `dataset` with `HIDDEN` in the place of words of one column."""

    def __init__(self, dataset: Dataset, column: str, words: Sequence[str]) -> None:
        """Raises WeftError where the data are known to have no such column, or there is no word."""
        self.known_columns = columns_of(dataset)
        if self.known_columns.items and column not in self.known_columns.items:
            raise unknown_name("column of hidden words", column, self.known_columns.items)
        self._dataset, self._column, self._words = dataset, column, words_pattern(words)

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, index: int) -> Sample:  # type: ignore[override]
        sample = self._dataset[index]
        raw = sample.items.get(self._column)
        if raw is None:
            return sample
        return replace(sample, items={**sample.items, self._column: self._without(raw)})

    def _without(self, raw: Any) -> Any:
        if isinstance(raw, str):
            return " ".join(self._words.sub(f" {HIDDEN} ", raw).split())
        return Alternatives(map(self._without, raw)) if isinstance(raw, Alternatives) else raw


def words_pattern(words: Sequence[str]) -> re.Pattern[str]:
    """Any of the words, whole, in capitals or not, the longest that fits; where a script has no blanks, also inside
    a longer text. Raises WeftError where there is none."""
    longest_first = sorted(set(words) - {""}, key=lambda word: (-len(word), word))
    if not longest_first:
        raise WeftError("got no words, expected one or more, with | between several")
    blanks = "|".join(re.escape(word) for word in longest_first if not unspaced(word))
    none = "|".join(re.escape(word) for word in longest_first if unspaced(word))
    found = "|".join(part for part in (none, rf"\b(?:{blanks})\b" if blanks else "") if part)
    return re.compile(found, re.IGNORECASE)
