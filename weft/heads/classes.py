"""One class of a closed set: an answer, a label, true or false."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from weft.core.config import Config
from weft.core.errors import WeftError, unknown_name
from weft.core.interfaces import Decoder
from weft.core.needs import Needs
from weft.data.targets.classes import Classes
from weft.data.targets.soft_answers import SoftAnswers
from weft.heads.output import Learned, Output, Part, mean, too_small


@dataclass(frozen=True)
class ClassValues:
    """probabilities: (N, V), on the CPU. classes: the names of the V classes."""

    probabilities: Tensor
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.probabilities)

    @property
    def predicted(self) -> Tensor:
        """(N,) the number of the most probable class."""
        return self.probabilities.argmax(dim=1)

    def said(self, row: int) -> str:
        return self.classes[int(self.probabilities[row].argmax())]

    def best(self, row: int, k: int) -> list[tuple[str, float | None]]:
        found = self.probabilities[row].topk(min(k, len(self.classes)))
        names = [self.classes[place] for place in found.indices.tolist()]
        return list(zip(names, found.values.tolist(), strict=True))

    def averaged(self, keys: Tensor) -> "ClassValues":
        """Rows with the same key (N,) share the mean of their probabilities."""
        _, place_N, size_K = torch.unique(keys, return_inverse=True, return_counts=True)
        sums_KV = self.probabilities.new_zeros(len(size_K), self.probabilities.shape[1])
        means_KV = sums_KV.index_add(0, place_N, self.probabilities) / size_K[:, None]
        return ClassValues(means_KV[place_N], self.classes)

    @classmethod
    def join(cls, parts: Sequence["ClassValues"]) -> "ClassValues":
        return cls(torch.cat([part.probabilities for part in parts]), parts[0].classes)


@dataclass(frozen=True)
class ClassOutput(Output):
    """A logit for each class; probabilities are their softmax over the known classes."""

    target: str | None = None
    """Target whose classes they are, as learned from the training rows or given to it; or ..."""
    classes: tuple[str, ...] = ()
    """... the names of the classes in the order of the logits."""

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
        """The classes in the order of the logits. Raises WeftError where none were learned."""
        if self.target is None:
            return self.classes
        if self.target not in learned.targets:
            raise unknown_name("target", self.target, learned.targets)
        target = learned.targets[self.target]
        if not isinstance(target, Classes | SoftAnswers):
            raise WeftError(
                f"data.targets.{self.target} is a {type(target).__name__}, expected classes or answers"
            )
        return target.classes

    def check(self, decoder: Config[Decoder], learned: Learned, where: str) -> None:
        names = self.names(learned)
        if isinstance(decoder, _Sized) and decoder.classes < len(names):
            of = "its classes" if self.target is None else f"those of data.targets.{self.target}"
            raise too_small(where, "classes", decoder.classes, len(names), of)

    def read(self, parts: Sequence[Part]) -> ClassValues:
        """The mean of the parts' probabilities."""
        names = self.names(parts[0].learned)
        for part in parts[1:]:
            others = self.names(part.learned)
            if others != names:
                raise WeftError(
                    f"the members of the ensemble know {len(names)} and {len(others)} classes of "
                    f"'{self.target}', expected the same ones in the same order"
                )
        logits = [part.decoder(part.context)[:, : len(names)].float() for part in parts]
        return ClassValues(mean([one.softmax(dim=1) for one in logits]), names)


MATCHING = ClassOutput(classes=("no match", "match"))
"""Whether two streams belong together: the last logit says yes."""


@runtime_checkable
class _Sized(Protocol):
    """The config of a decoder with so many logits."""

    classes: int
