"""The protocol of outputs: from a decoder's numbers to values that a person reads."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, Self, runtime_checkable

import torch
from torch import Tensor, nn

from weft.core.config import Config, Settings
from weft.core.errors import WeftError
from weft.core.interfaces import Decoder, Outputs
from weft.core.needs import Needs
from weft.core.records import Features
from weft.data.learned import Learned


@dataclass(frozen=True)
class Part:
    """A decoder, the context that it reads (B rows), and what its run has learned.

    Several parts are an ensemble: other models, or other views of the same rows. weights: stream -> (B, T) how much
    of each token of the context comes from it, where the fusion says so (`WeighsPlaces`). seeds: (B,) of the rows,
    which what is drawn for a row is drawn from.
    """

    decoder: nn.Module
    context: Features
    learned: Learned
    weights: Mapping[str, Tensor] = field(default_factory=dict)
    seeds: Tensor | None = None

    def take(self, rows: Tensor) -> "Part":
        """These rows, in this order."""
        weights = {stream: weights_BT[rows] for stream, weights_BT in self.weights.items()}
        seeds = None if self.seeds is None else self.seeds[rows]
        return replace(self, context=self.context.take(rows), weights=weights, seeds=seeds)


class Values(Protocol):
    """What a head says of N rows."""

    def __len__(self) -> int: ...

    def said(self, row: int) -> str:
        """What it says of a row, as a person reads it."""
        ...

    def best(self, row: int, k: int) -> list[tuple[str, float | None]]:
        """The k best values of a row, the best first, with their probabilities where there are any."""
        ...

    def take(self, rows: Sequence[int]) -> Self:
        """These rows, in this order and as often as they are named."""
        ...

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        """The rows of all parts, in order."""
        ...


@runtime_checkable
class Confident(Protocol):
    """Values of which each has a probability."""

    @property
    def confidence(self) -> Tensor | None:
        """(N,) the probability of what is said of each row, on the CPU; None where it is not known."""
        ...


@dataclass(frozen=True)
class Scores:
    """How strongly a decoder says what was said of each of B rows; both can be differentiated.

    logits: (B,) in the decoder's own scale, whose gradient explanations follow. values: (B,) as a person
    is shown them: a probability, the number itself, the mean log-probability of a token.
    """

    logits: Tensor
    values: Tensor


@dataclass(frozen=True)
class Output(Settings, ABC):
    """What a decoder's numbers mean."""

    @property
    def needs(self) -> Needs:
        """Targets and streams that say what the numbers mean."""
        return Needs()

    @abstractmethod
    def check(self, decoder: Config[Decoder], learned: Learned, where: str) -> None:
        """Raises WeftError where the decoder is too small for what was learned.

        where: the head's name in the recipe, such as model.heads.answer.
        """

    @abstractmethod
    def read(self, parts: Sequence[Part]) -> Values:
        """The values of the B rows; those of several parts together.

        Raises WeftError where the parts do not mean the same, or what was learned is missing.
        """

    def scores(self, part: Part, said: Values) -> Scores:  # noqa: ARG002
        """The scores of what was said of the B rows, such as the probability of the chosen class.

        said: values of these rows, of this part or of others. Raises WeftError where there is no score.
        """
        raise WeftError(
            f"what a {type(self).__name__} says has no score, so it cannot be explained"
        )

    def score_text(self, value: float) -> str:
        """A score as it stands beside the answer; empty where the answer itself says it."""
        return f"{value:.3f}"

    @property
    def attends(self) -> bool:
        """Whether the decoder attends to tokens of the context itself, and reads no pooled vector."""
        return False


@runtime_checkable
class Targeted(Protocol):
    """An output that predicts a target of the batch."""

    target: str | None


@runtime_checkable
class TargetClasses(Targeted, Protocol):
    """One with a logit for each class: one class of a row is right, or each has a score of its own."""

    exclusive: bool


@runtime_checkable
class TargetNumber(Targeted, Protocol):
    """One of one number."""

    unit: str


def require_outputs(
    decoder: Config[Decoder], least: int, of: str, where: str, *, most: int | None = None
) -> None:
    """Raises WeftError where the decoder has fewer outputs than `least`, or more than `most`.

    of: what they are. where: as in `Output.check`.
    """
    if not isinstance(decoder, Outputs):
        raise WeftError(
            f"{where}.decoder: {type(decoder).__name__} does not say how many `outputs` it has, "
            f"expected at least {least}, {of}"
        )
    if decoder.outputs < least or (most is not None and decoder.outputs > most):
        expected = f"{least}" if least == most else f"at least {least}"
        raise WeftError(f"{where}.decoder has {decoder.outputs} outputs, expected {expected}, {of}")


def mean(logits: Sequence[Tensor]) -> Tensor:
    """The mean of the parts, on the CPU."""
    return torch.stack([one.detach().cpu() for one in logits]).mean(dim=0)
