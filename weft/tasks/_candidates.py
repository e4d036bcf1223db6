"""Rows that ask to choose among candidate answers."""

from collections import Counter
from dataclasses import dataclass

import torch
from torch import Tensor

from weft.core.errors import DataError
from weft.core.samples import Sample
from weft.data.formats import Dataset


@dataclass(frozen=True)
class Asked:
    """What a row asks: candidates, the number of the right one, and a relevance for each or None."""

    candidates: list[str]
    right: int
    relevance: Tensor | None


@dataclass(frozen=True)
class CandidateColumns:
    """The columns of the candidates, of the number of the right one, from 0, and of the relevances."""

    candidates: str
    right: str
    relevance: str

    def read(self, sample: Sample) -> Asked:
        """What the row asks. Raises DataError where it lacks it, or its numbers do not fit."""
        items, source = sample.items, sample.source
        candidates, right = items.get(self.candidates), items.get(self.right)
        if not isinstance(candidates, list) or not candidates:
            raise DataError(f"has no list '{self.candidates}' of answers", source=source)
        if not isinstance(right, int) or not 0 <= right < len(candidates):
            reason = f"'{self.right}' is {right!r}, expected 0 to {len(candidates) - 1}"
            raise DataError(reason, source=source)
        given = items.get(self.relevance)
        if given is not None and len(given) != len(candidates):
            reason = f"has {len(candidates)} candidates and {len(given)} relevances"
            raise DataError(reason, source=source)
        relevance = None if given is None else torch.tensor(given, dtype=torch.float64)
        return Asked([str(name) for name in candidates], right, relevance)

    def frequencies(self, training: Dataset | None) -> Counter[str]:
        """How often each answer is the right one in training."""
        counts: Counter[str] = Counter()
        for row in range(0 if training is None else len(training)):
            try:
                one = self.read(training[row])  # type: ignore[index]
            except DataError:
                continue
            counts[one.candidates[one.right]] += 1
        return counts
