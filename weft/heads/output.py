"""The protocol of outputs: from a decoder's numbers to values that a person reads."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, Self, runtime_checkable

import torch
from torch import Tensor, nn

from weft.core.config import Config, Settings
from weft.core.errors import WeftError
from weft.core.interfaces import Decoder, Modality, Target
from weft.core.needs import Needs
from weft.core.records import Features


class Learned(Protocol):
    """What a run has learned from its training rows: tokenizers of streams, classes of targets."""

    @property
    def modalities(self) -> Mapping[str, Modality]: ...

    @property
    def targets(self) -> Mapping[str, Target]: ...


@dataclass(frozen=True)
class Part:
    """A decoder, the context that it reads (B rows), and what its run has learned.

    Several parts are an ensemble: other models, or other views of the same rows.
    """

    decoder: nn.Module
    context: Features
    learned: Learned


class Values(Protocol):
    """What a head says of N rows."""

    def __len__(self) -> int: ...

    def said(self, row: int) -> str:
        """What it says of a row, as a person reads it."""
        ...

    def best(self, row: int, k: int) -> list[tuple[str, float | None]]:
        """The k best values of a row, the best first, with their probabilities where there are any."""
        ...

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        """The rows of all parts, in order."""
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


def too_small(where: str, setting: str, held: int, least: int, of: str) -> WeftError:
    """The error for a decoder without room for what was learned."""
    return WeftError(f"{where}.decoder.{setting} is {held}, expected at least {least}, {of}")


def mean(logits: Sequence[Tensor]) -> Tensor:
    """The mean of the parts, on the CPU."""
    return torch.stack([one.detach().cpu() for one in logits]).mean(dim=0)
