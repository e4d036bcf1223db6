"""Soft scores of the answers that several annotators gave (VQA v2)."""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from weft.core.config import Config
from weft.core.errors import WeftError
from weft.core.interfaces import Target
from weft.data.answers import normalised, soft_scores

log = logging.getLogger("weft.data")


class SoftAnswers:
    """A list of answers -> the score of each known answer, (B, V) float32 from 0 to 1.

    classes: the normalised answers in the order of the logits; those given by most annotators first, then by name. A
    row without a known answer is all zeros. Several answers of a row may have a score, so its head needs
    `exclusive=False`.
    """

    exclusive = False

    def __init__(self, config: "SoftAnswersConfig") -> None:
        self.column = config.column
        self._max_classes = config.max_classes
        self.classes: tuple[str, ...] = ()
        self._places: dict[str, int] = {}

    def read(self, raw: Any) -> Tensor:
        scores = torch.zeros(len(self.classes))
        for answer, score in soft_scores(_checked(raw, self.column)).items():
            if answer in self._places:
                scores[self._places[answer]] = score
        return scores

    def collate(self, items: Sequence[Tensor]) -> Tensor:
        return torch.stack(list(items))

    def fit(self, raws: Iterable[Any]) -> None:
        """Learns the most frequent answers. Raises WeftError where no row has any."""
        rows = [_normalised_or_none(raw, self.column) for raw in raws]
        counts = Counter(answer for row in rows for answer in row)
        if not counts:
            raise WeftError(f"no training row has answers in its column '{self.column}'")
        self._use(sorted(counts, key=lambda answer: (-counts[answer], answer))[: self._max_classes])
        unknown = sum(not self._places.keys() & set(row) for row in rows)
        if unknown:
            log.warning(
                "%d of %d training rows have no answer among the %d that are learned",
                *(unknown, len(rows), len(self.classes)),
            )

    def state(self) -> dict[str, Any]:
        return {"classes": list(self.classes)}

    def restore(self, state: Mapping[str, Any]) -> None:
        classes = state.get("classes")
        if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
            raise WeftError(f"classes are {classes!r:.60}, expected a list of answers")
        self._use(classes)

    def _use(self, classes: Sequence[str]) -> None:
        self.classes = tuple(classes)
        self._places = {name: place for place, name in enumerate(classes)}


def _checked(raw: Any, column: str) -> list[str]:
    if not isinstance(raw, list) or not raw or not all(isinstance(answer, str) for answer in raw):
        raise WeftError(f"'{column}' is {raw!r:.60}, expected a list of answers")
    return raw


def _normalised_or_none(raw: Any, column: str) -> list[str]:
    try:
        return [normalised(answer) for answer in _checked(raw, column)]
    except WeftError:
        return []  # the reader of this row reports it


@dataclass(frozen=True)
class SoftAnswersConfig(Config[Target]):
    """Scores of the answers of several annotators, for a binary cross-entropy over all answers."""

    column: str
    """The column that holds the list of answers."""
    max_classes: int = 3129
    """Maximum number of learned answers, the most frequent ones. The default is the usual number on VQA v2."""

    def __post_init__(self) -> None:
        if self.max_classes < 1:
            raise ValueError(f"max_classes is {self.max_classes}, expected at least 1 answer")

    def build(self) -> SoftAnswers:
        return SoftAnswers(self)
