"""What is done with a gradient before the optimizer's step."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from weft.core.records import Batch, Loss
from weft.training import sharding


class Turn(Protocol):
    """A player's turn, as a gradient rule sees it."""

    @property
    def parameters(self) -> Sequence[Tensor]:
        """The player's own."""
        ...

    def loss(self, batch: Batch, micro_batches: int = 1) -> Loss:
        """The player's loss, with which the model computes so many micro-batches one after another."""
        ...

    def backward(self, loss: Loss) -> None:
        """Adds the loss's gradient, averaged over ranks, to `.grad` of the parameters."""
        ...


class GradientRule(Protocol):
    """Leaves in `.grad` of a player's parameters what the optimizer is to follow.

    The turn's loss may be asked for as often as the rule needs it, of the batch or of some of its rows.
    """

    def __call__(self, turn: Turn, batch: Batch) -> tuple[Loss, Tensor]:
        """The loss of this rank, and the norm of the gradient of all ranks before it was clipped."""
        ...


@dataclass(frozen=True)
class AccumulateAndClip:
    """The gradient of the whole batch, scaled to a norm of at most `clip_norm`; None never clips.

    accumulate: micro-batches in which the model computes a batch; see `Streams`.
    """

    accumulate: int = 1
    clip_norm: float | None = 1.0

    def __call__(self, turn: Turn, batch: Batch) -> tuple[Loss, Tensor]:
        loss = turn.loss(batch, self.accumulate)
        turn.backward(loss)
        return loss, sharding.clip_gradient(turn.parameters, self.clip_norm)
