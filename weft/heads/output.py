"""The protocol of outputs: converts a decoder's numbers to values for people."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Protocol, Self, runtime_checkable

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
    """A decoder, its context (B rows), and the learned state of its run.

    Several parts are an ensemble: other models, or other views of the same rows. weights: stream -> (B, T) share of
    the stream in each token of the context, if the fusion gives it (`WeighsPlaces`). seeds: (B,) of the rows, for
    generated values.
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
    """A head's predictions for N rows."""

    def __len__(self) -> int: ...

    def said(self, row: int) -> str:
        """Returns the prediction for a row as text for people."""
        ...

    def best(self, row: int, k: int) -> list[tuple[str, float | None]]:
        """Returns the k best values of a row in descending order, with their probabilities if there are any."""
        ...

    def take(self, rows: Sequence[int]) -> Self:
        """Returns these rows, in this order; a row may occur several times."""
        ...

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        """The rows of all parts, in order."""
        ...


@runtime_checkable
class Confident(Protocol):
    """Values that each have a probability."""

    @property
    def confidence(self) -> Tensor | None:
        """(N,) the probability of each row's prediction, on the CPU; None if it is unknown."""
        ...


@dataclass(frozen=True)
class Scores:
    """A decoder's scores of the predictions for B rows; both fields are differentiable.

    logits: (B,) in the decoder's own scale, whose gradient explanations use. values: (B,) for display: a probability,
    the number itself, the mean log-probability of a token.
    """

    logits: Tensor
    values: Tensor


@dataclass(frozen=True)
class Output(Settings, ABC):
    """The meaning of a decoder's numbers.

    does: what a head with this output does, for messages, such as "predicts numbers"; it ends with a plural.
    """

    does: ClassVar[str] = "predicts values"

    @property
    def needs(self) -> Needs:
        """Targets and streams that define the meaning of the numbers."""
        return Needs()

    @abstractmethod
    def check(self, decoder: Config[Decoder], learned: Learned, where: str) -> None:
        """Raises WeftError if the decoder is too small for what was learned.

        where: the head's name in the recipe, such as model.heads.answer.
        """

    @abstractmethod
    def read(self, parts: Sequence[Part]) -> Values:
        """Returns the values of the B rows; several parts give joint values.

        Raises WeftError if the parts differ in meaning, or the learned state is missing.
        """

    def score_text(self, value: float) -> str:
        """Formats a score for display beside the answer; empty if the answer itself contains it."""
        return f"{value:.3f}"

    @property
    def noise_of_latent(self) -> str | None:
        """Name of the random numbers for a sample of the latent; None if the head reads its mean."""
        return None

    @property
    def attends(self) -> bool:
        """Whether the decoder attends to the context's tokens, and reads no pooled vector."""
        return False


@runtime_checkable
class Scored(Protocol):
    """An output whose predictions have scores, so that they can be explained."""

    def scores(self, part: Part, said: Values) -> Scores:
        """Returns the scores of the predictions for the B rows, such as the probability of the chosen class.

        said: values of these rows, of this part or of others.
        """
        ...


@runtime_checkable
class Targeted(Protocol):
    """An output that predicts a target of the batch."""

    target: str | None


@runtime_checkable
class TargetClasses(Targeted, Protocol):
    """An output with a logit for each class: one class of a row is right, or each has a score of its own."""

    exclusive: bool


@runtime_checkable
class TargetNumber(Targeted, Protocol):
    """An output of one number."""

    unit: str


def require_outputs(
    decoder: Config[Decoder], least: int, of: str, where: str, *, most: int | None = None
) -> None:
    """Raises WeftError if the decoder has fewer outputs than `least`, or more than `most`.

    of: what the outputs are. where: as in `Output.check`.
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
