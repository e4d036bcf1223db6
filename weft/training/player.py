"""One player of the training game: a step, its optimizer, and the rule of a turn."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from weft.core.errors import WeftError
from weft.core.precision import Precision, autocast
from weft.core.records import Batch, Loss
from weft.training import distributed, sharding
from weft.training.optim import EMA
from weft.training.step import TrainStep


class NonFiniteError(WeftError):
    """The loss or its gradient is not a number. `ids` are the rows that were seen."""

    def __init__(self, what: str, ids: list[str]) -> None:
        shown = ", ".join(ids[:16]) + (f", ... ({len(ids)} rows)" if len(ids) > 16 else "")
        super().__init__(f"{what}; batch: {shown}")
        self.ids = ids


@dataclass(frozen=True)
class Rule:
    """How a turn is taken.

    accumulate: micro-batches in which the model computes a turn's batch; see `TrainStep`.
    """

    accumulate: int = 1
    precision: Precision = "fp32"
    clip_norm: float | None = 1.0
    find_unused: bool = False


class Player:
    """Ordinary training is one player; a GAN is two in the same loop.

    `turn` does forward, backward and one update from one batch. It wraps the step for several
    ranks itself unless `sharding.shard` has cut it, so build the player after `step` is on its device,
    frozen where it should be, and the ranks have met.
    """

    def __init__(
        self,
        name: str,
        step: TrainStep,
        optimizer: torch.optim.Optimizer,
        schedule: Callable[[int], float],
        rule: Rule | None = None,
        ema: EMA | None = None,
    ) -> None:
        self.name = name
        self.step = step
        self.optimizer = optimizer
        self.schedule = schedule
        self.rule = rule or Rule()
        self.ema = ema
        self.turns = 0
        step.accumulate = self.rule.accumulate
        self._is_cut = sharding.holds_shards(step)
        self._forward: nn.Module = (
            step if self._is_cut else distributed.wrap(step, find_unused=self.rule.find_unused)
        )
        self._parameters = [p for group in optimizer.param_groups for p in group["params"]]
        self._base_lr = [float(group["lr"]) for group in optimizer.param_groups]

    @property
    def device(self) -> torch.device:
        return torch.device(self._parameters[0].device)

    def turn(self, batch: Batch) -> Loss:
        """One update. The loss and its terms are means over ranks.

        Adds the terms "gradient_norm" (before clipping) and "lr". Raises NonFiniteError, on every
        rank and before anything is changed, if the loss or the gradient is not finite.
        """
        self.optimizer.zero_grad(set_to_none=True)
        with autocast(self.rule.precision, self.device):
            loss: Loss = self._forward(batch)
        torch.autograd.backward(loss.total)
        terms = {"total": loss.total.detach(), **loss.terms}
        if self._is_cut:
            sharding.average_scalars(self._parameters)
        norm = sharding.clip_gradient(self._parameters, self.rule.clip_norm)
        averaged = distributed.mean({**terms, "gradient_norm": norm})
        self._require_finite(averaged, terms["total"], batch)
        for group, base in zip(self.optimizer.param_groups, self._base_lr, strict=True):
            group["lr"] = base * self.schedule(self.turns)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.turns += 1
        if self.ema is not None:
            self.ema.update()
        averaged["lr"] = torch.tensor(self.optimizer.param_groups[0]["lr"])
        return Loss(averaged.pop("total"), averaged)

    def _require_finite(self, averaged: dict[str, Tensor], own: Tensor, batch: Batch) -> None:
        loss, norm = averaged["total"], averaged["gradient_norm"]
        if bool(loss.isfinite() & norm.isfinite()):
            return
        self.optimizer.zero_grad(set_to_none=True)
        # Blame the rows of the ranks whose own loss is not finite, or all if only the gradient is.
        blamed = distributed.all_strings([] if own.isfinite() else list(batch.ids))
        ids = blamed or distributed.all_strings(list(batch.ids))
        distributed.barrier()  # no rank leaves while another still waits for its ids
        what = (
            f"loss of player '{self.name}' is {loss.item():g}, its gradient's norm {norm.item():g}"
        )
        raise NonFiniteError(what, ids)
