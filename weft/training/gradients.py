"""Gradient rules: how a player's gradient is computed and changed before the optimizer's step."""

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
        """The parameters that this player trains."""
        ...

    def loss(self, batch: Batch, micro_batches: int = 1) -> Loss:
        """The player's loss of the whole batch. micro_batches: the model computes so many parts one after another."""
        ...

    def backward(self, loss: Loss) -> None:
        """Adds the loss's gradient, averaged over ranks, to `.grad` of the parameters."""
        ...


class GradientRule(Protocol):
    """Leaves in `.grad` of a player's parameters the gradient for the optimizer's step.

    It may call `turn.loss` as often as it needs, with the batch or with some of its rows.
    """

    def __call__(self, turn: Turn, batch: Batch) -> tuple[Loss, Tensor]:
        """Returns the loss of this rank, and the norm of the gradient averaged over ranks, before clipping."""
        ...


@dataclass(frozen=True)
class AccumulateAndClip:
    """Computes the gradient of the whole batch and scales it to a norm of at most `clip_norm`; None never clips.

    accumulate: number of micro-batches in which the model computes a batch; see `Streams`.
    """

    accumulate: int = 1
    clip_norm: float | None = 1.0

    def __call__(self, turn: Turn, batch: Batch) -> tuple[Loss, Tensor]:
        loss = turn.loss(batch, self.accumulate)
        turn.backward(loss)
        return loss, sharding.clip_gradient(turn.parameters, self.clip_norm)
