"""One class of a closed set: an answer, a label, true or false."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Protocol, Self, runtime_checkable

import torch
from torch import Tensor

from weft.core.config import Config
from weft.core.errors import WeftError, unknown_name
from weft.core.interfaces import Decoder
from weft.core.needs import Needs
from weft.data.learned import Learned
from weft.heads.output import Output, Part, Scores, Values, mean, require_outputs


@dataclass(frozen=True)
class ClassValues:
    """probabilities: (N, V), on the CPU. classes: the names of the V classes."""

    probabilities: Tensor
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.probabilities)

    @property
    def predicted(self) -> Tensor:
        """(N,) index of the most probable class."""
        return self.probabilities.argmax(dim=1)

    @property
    def confidence(self) -> Tensor:
        return self.probabilities.max(dim=1).values

    def said(self, row: int) -> str:
        return self.classes[int(self.probabilities[row].argmax())]

    def best(self, row: int, k: int) -> list[tuple[str, float | None]]:
        found = self.probabilities[row].topk(min(k, len(self.classes)))
        names = [self.classes[place] for place in found.indices.tolist()]
        return list(zip(names, found.values.tolist(), strict=True))

    def averaged(self, keys: Tensor) -> Self:
        """Averages the probabilities of rows with the same key (N,)."""
        _, place_N, size_K = torch.unique(keys, return_inverse=True, return_counts=True)
        sums_KV = self.probabilities.new_zeros(len(size_K), self.probabilities.shape[1])
        means_KV = sums_KV.index_add(0, place_N, self.probabilities) / size_K[:, None]
        return replace(self, probabilities=means_KV[place_N])

    def take(self, rows: Sequence[int]) -> Self:
        return replace(self, probabilities=self.probabilities[list(rows)])

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        return replace(parts[0], probabilities=torch.cat([part.probabilities for part in parts]))


@dataclass(frozen=True)
class ClassOutput(Output):
    """A logit for each class.

    Probabilities are their softmax over the known classes, or the sigmoid of each where several classes hold at
    once.
    """

    does: ClassVar[str] = "predicts classes"
    target: str | None = None
    """Target with the classes, learned from the training rows or given; or ..."""
    classes: tuple[str, ...] = ()
    """... the names of the classes in the order of the logits."""
    exclusive: bool = True
    """If true, exactly one class of a row is right, and the probabilities sum to 1. If false, any number may be
    right, each with a probability of its own, as for answers of several annotators."""

    def __post_init__(self) -> None:
        if (self.target is None) != bool(self.classes):
            raise ValueError(
                f"target is {self.target!r} and {len(self.classes)} classes are named, expected one "
                "or the other"
            )

    @property
    def needs(self) -> Needs:
        return Needs(targets=() if self.target is None else (self.target,))

    def names(self, learned: Learned) -> tuple[str, ...]:
        """The classes in the order of the logits. Raises WeftError if none were learned."""
        return self.classes if self.target is None else self._target(learned).classes

    def check(self, decoder: Config[Decoder], learned: Learned, where: str) -> None:
        names = self.names(learned)
        if self.target is not None and self._target(learned).exclusive != self.exclusive:
            held = "scores of several classes" if self.exclusive else "one class"
            raise WeftError(
                f"{where}.output.exclusive is {self.exclusive}, but data.targets.{self.target} holds "
                f"{held} a row, expected {not self.exclusive}"
            )
        of = "its classes" if self.target is None else f"the classes of data.targets.{self.target}"
        require_outputs(decoder, len(names), of, where)

    def read(self, parts: Sequence[Part]) -> ClassValues:
        """Returns the mean of the parts' probabilities."""
        names = self.names(parts[0].learned)
        for part in parts[1:]:
            others = self.names(part.learned)
            if others != names:
                raise WeftError(
                    f"the members of the ensemble have {len(names)} and {len(others)} classes of '{self.target}', "
                    "expected the same ones in the same order"
                )
        return ClassValues(mean([self._probabilities(self._logits(part)) for part in parts]), names)

    def scores(self, part: Part, said: Values) -> Scores:
        """Returns the logit and the probability of the most probable class."""
        if not isinstance(said, ClassValues):
            raise TypeError(f"said is {type(said).__name__}, expected ClassValues")
        logits_BV = self._logits(part)
        chosen_B1 = said.predicted.to(logits_BV.device)[:, None]
        found = (logits_BV, self._probabilities(logits_BV))
        return Scores(*(one.gather(1, chosen_B1)[:, 0] for one in found))

    def _logits(self, part: Part) -> Tensor:
        """(B, V) logits of the known classes; a decoder may have more outputs than classes."""
        found: Tensor = part.decoder(part.context)[:, : len(self.names(part.learned))]
        return found.float()

    def _probabilities(self, logits_BV: Tensor) -> Tensor:
        return logits_BV.softmax(dim=1) if self.exclusive else logits_BV.sigmoid()

    def _target(self, learned: Learned) -> "ClassTarget":
        if self.target is None or self.target not in learned.targets:
            raise unknown_name("target", str(self.target), learned.targets)
        target = learned.targets[self.target]
        if not isinstance(target, ClassTarget):
            raise WeftError(
                f"data.targets.{self.target} is a {type(target).__name__}, expected classes or answers"
            )
        return target


MATCHING = ClassOutput(classes=("no match", "match"))
"""Output for whether two streams belong together."""
MATCH = 1
"""Index of the logit that they belong together."""


@runtime_checkable
class ClassTarget(Protocol):
    """A target of named classes: one for each row or, if not exclusive, a score for each."""

    classes: tuple[str, ...]
    exclusive: bool
