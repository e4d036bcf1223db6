"""A control: hides words of a text, so that only the other streams can tell them."""

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
"""Replaces each hidden word. Tokenizers that learn from the training rows learn it as one token."""


class Hidden(Sequence[Sample]):
    """The rows of `dataset` with `HIDDEN` in place of given words in one column."""

    def __init__(self, dataset: Dataset, column: str, words: Sequence[str]) -> None:
        """Raises WeftError if the data set is known to lack the column, or if `words` is empty."""
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
    """Compiles a pattern for any of the words, as whole words, in any case, the longest match first. In scripts
    without blanks it also matches inside longer text. Raises WeftError if there are no words."""
    longest_first = sorted(set(words) - {""}, key=lambda word: (-len(word), word))
    if not longest_first:
        raise WeftError("got no words, expected one or more, with | between several")
    blanks = "|".join(re.escape(word) for word in longest_first if not unspaced(word))
    none = "|".join(re.escape(word) for word in longest_first if unspaced(word))
    found = "|".join(part for part in (none, rf"\b(?:{blanks})\b" if blanks else "") if part)
    return re.compile(found, re.IGNORECASE)
