"""Several labels at once: the tags of a row."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from weft.core.ranges import SHARE, require
from weft.data.learned import Learned
from weft.heads.classes import ClassOutput, ClassValues
from weft.heads.output import Part, Scores, Values

NO_TAG = "no tag"
"""Text for a row without a probable tag."""
THRESHOLD = 0.5
"""Default threshold, if none was chosen."""
BETWEEN = "; "
"""Separator of a row's predicted tags."""


@dataclass(frozen=True)
class TagValues(ClassValues):
    """probabilities: (N, V), a separate one for each tag, on the CPU. threshold: minimum probability of a predicted
    tag."""

    threshold: float = THRESHOLD

    @property
    def chosen(self) -> Tensor:
        """(N, V) bool, True for predicted tags."""
        return self.probabilities >= self.threshold

    def tags(self, row: int) -> list[tuple[str, float]]:
        """Returns the predicted tags of a row with their probabilities, in descending order."""
        chances_V = self.probabilities[row]
        order = chances_V.argsort(descending=True, stable=True).tolist()
        return [
            (self.classes[place], chance)
            for place in order
            if (chance := float(chances_V[place])) >= self.threshold
        ]

    def said(self, row: int) -> str:
        return BETWEEN.join(name for name, _ in self.tags(row)) or NO_TAG


def best_threshold(probabilities_NV: Tensor, right_NV: Tensor) -> float:
    """Returns the threshold among 1, 2, ..., 99% with the highest micro F1 of predicted tags, 2 TP / (2 TP + FP +
    FN).

    On a tie, the middle one. right: bool.
    """
    found = {}
    for percent in range(1, 100):
        said_NV = probabilities_NV >= percent / 100
        both, either = (said_NV & right_NV).sum(), said_NV.sum() + right_NV.sum()
        found[percent / 100] = float(2 * both / either.clamp_min(1))
    best = [threshold for threshold, f1 in found.items() if f1 == max(found.values())]
    return best[len(best) // 2]


@dataclass(frozen=True)
class TagOutput(ClassOutput):
    """A logit for each tag; its sigmoid is the probability, and tags at or above a threshold are predicted."""

    does: ClassVar[str] = "predicts tags"
    exclusive: bool = False
    """Always false: any number of tags may apply."""
    threshold: float | None = None
    """Minimum probability of a predicted tag. None takes the one that training chose for the highest micro F1 on the
    validation split; before that, 0.5."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, threshold=SHARE)
        if self.exclusive:
            raise ValueError("exclusive is True, expected False: a row may have several tags")

    def read(self, parts: Sequence[Part]) -> TagValues:
        """Returns the mean of the parts' probabilities, with the mean of their thresholds."""
        found = super().read(parts)
        thresholds = [self._threshold(part.learned) for part in parts]
        return TagValues(found.probabilities, found.classes, sum(thresholds) / len(thresholds))

    def _threshold(self, learned: Learned) -> float:
        if self.threshold is not None:
            return self.threshold
        return learned.thresholds.get(self.target or "", THRESHOLD)

    def scores(self, part: Part, said: Values) -> Scores:
        """Returns the sum of the logits and the mean of the probabilities of the predicted tags; for a row without
        any, those of its most probable tag."""
        if not isinstance(said, TagValues):
            raise TypeError(f"said is {type(said).__name__}, expected TagValues")
        logits_BV = self._logits(part)
        chosen_BV = said.chosen.to(logits_BV.device)
        first_BV = torch.zeros_like(chosen_BV)
        first_BV.scatter_(1, said.predicted.to(logits_BV.device)[:, None], True)
        chosen_BV = torch.where(chosen_BV.any(dim=1, keepdim=True), chosen_BV, first_BV)
        logits_B = (logits_BV * chosen_BV).sum(1)
        return Scores(logits_B, (logits_BV.sigmoid() * chosen_BV).sum(1) / chosen_BV.sum(1))
