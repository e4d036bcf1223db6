"""Rows that ask for a choice among candidate answers."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from weft.core.errors import DataError, NoTargetError
from weft.core.samples import Sample
from weft.data.formats import Dataset


@dataclass(frozen=True)
class Asked:
    """The question of a row: candidates, the number of the right one or None if it is not among them, the right
    answer, and a relevance for each candidate or None.
    """

    candidates: Sequence[str]
    right: int | None
    answer: str
    relevance: Tensor | None


@dataclass(frozen=True)
class CandidateColumns:
    """The columns of the candidates, of the number of the right one, from 0, of the answer, and of the relevances.

    common: the candidates for rows without their own.
    """

    candidates: str
    right: str
    answer: str
    relevance: str
    common: tuple[str, ...] = ()

    def read(self, sample: Sample) -> Asked:
        """The question of the row. Raises DataError if the row lacks it, or if its numbers are inconsistent.

        The right candidate is given by its number, or by the answer, which need not be among the candidates.
        """
        candidates = self.choices(sample)
        right = self._right(sample, candidates)
        answer = str(sample.items[self.answer]) if right is None else candidates[right]
        return Asked(candidates, right, answer, self._relevance(sample, len(candidates)))

    def choices(self, sample: Sample) -> Sequence[str]:
        """The candidates of the row, of which none needs to be right. Raises DataError if there are none."""
        given, source = sample.items.get(self.candidates), sample.source
        if given is not None and (not isinstance(given, list) or not given):
            raise DataError(f"has no list '{self.candidates}' of answers", source=source)
        candidates = self.common if given is None else [str(name) for name in given]
        if not candidates:
            reason = f"has no list '{self.candidates}' of answers, and no rows are known whose answers serve"
            raise DataError(reason, source=source)
        return candidates

    def answers(self, dataset: Dataset) -> Counter[str]:
        """How often each answer is the right one in these rows."""
        counts: Counter[str] = Counter()
        for row in range(len(dataset)):
            try:
                sample = dataset[row]
                answer = sample.items.get(self.answer)
                counts[self.read(sample).answer if answer is None else str(answer)] += 1
            except DataError:
                continue
        return counts

    def _right(self, sample: Sample, candidates: Sequence[str]) -> int | None:
        items, source = sample.items, sample.source
        right, answer = items.get(self.right), items.get(self.answer)
        if right is None and answer is not None:
            return candidates.index(str(answer)) if str(answer) in candidates else None
        if right is None:
            reason = (
                f"has neither '{self.right}', the number of the right answer, nor '{self.answer}'"
            )
            raise NoTargetError(reason, source=source)
        if not isinstance(right, int) or not 0 <= right < len(candidates):
            reason = f"'{self.right}' is {right!r}, expected 0 to {len(candidates) - 1}"
            raise DataError(reason, source=source)
        return right

    def _relevance(self, sample: Sample, candidates: int) -> Tensor | None:
        given = sample.items.get(self.relevance)
        if given is not None and len(given) != candidates:
            reason = f"has {candidates} candidates and {len(given)} relevances"
            raise DataError(reason, source=sample.source)
        return None if given is None else torch.tensor(given, dtype=torch.float64)
