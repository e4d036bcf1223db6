"""One player: some of the parameters, the objectives that it minimises, and its optimizer."""

import math
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from weft.core.distributed import barrier
from weft.core.errors import WeftError
from weft.core.precision import Precision, autocast
from weft.core.records import Batch, Loss
from weft.training import distributed, sharding
from weft.training.gradients import AccumulateAndClip, GradientRule
from weft.training.optim import EMA
from weft.training.step import TrainStep


class NonFiniteError(WeftError):
    """The loss or its gradient is not finite. ids: rows of the batch, or of the ranks whose loss is not finite."""

    def __init__(self, what: str, ids: list[str]) -> None:
        shown = ", ".join(ids[:16]) + (f", ... ({len(ids)} rows)" if len(ids) > 16 else "")
        super().__init__(f"{what}; batch: {shown}")
        self.ids = ids


@dataclass(frozen=True)
class TurnSettings:
    """objectives: those that the player minimises; None: all of the step. every: number of steps of the run from one
    turn to the next. last: the last step with a turn, before the
    last one of the run; None: of the run. find_unused: see `distributed.wrap`."""

    objectives: tuple[str, ...] | None = None
    every: int = 1
    precision: Precision = "fp32"
    find_unused: bool = False
    last: int | None = None

    @property
    def steady(self) -> bool:
        """Whether the player has a turn at every step of the run."""
        return self.every == 1 and self.last is None

    @property
    def most(self) -> float:
        """Number of turns after which the player is fixed."""
        return math.inf if self.last is None else self.last // self.every


class Player:
    """Trains the parameters that its optimizer holds. `turn` runs forward, backward and one update on one batch.

    Ordinary training has one player with all parameters. A GAN has two players that share one step. The
    parameters of other players get no gradient. After its last turn a player is fixed: its parameters take
    their averages, if it has any, so that others train with the weights that are evaluated and saved; and its
    modules are in eval mode, so that statistics of norms stay too.

    A player wraps the step for several ranks itself, unless `sharding.shard` has sharded it. So first
    join the ranks, move `step` to its device and freeze its frozen parts; then build the player.
    """

    def __init__(
        self,
        name: str,
        step: TrainStep,
        optimizer: torch.optim.Optimizer,
        schedule: Callable[[int], float],
        rule: GradientRule | None = None,
        ema: EMA | None = None,
        settings: TurnSettings | None = None,
    ) -> None:
        self.name = name
        self.step = step
        self.optimizer = optimizer
        self.schedule = schedule
        self.rule = rule or AccumulateAndClip()
        self.ema = ema
        self.settings = settings or TurnSettings()
        self.turns = 0
        self.parameters: list[Tensor] = [
            p for group in optimizer.param_groups for p in group["params"]
        ]
        own = set(self.parameters)
        self._modules = [module for module in step.modules() if _trains_only(module, own)]
        self._others = [p for p in step.parameters() if p.requires_grad and p not in own]
        self._base_lr = [float(group["lr"]) for group in optimizer.param_groups]
        self._is_cut = sharding.holds_shards(step)
        self._forward: nn.Module = step
        if not self._is_cut:
            with self._others_frozen():
                self._forward = distributed.wrap(step, find_unused=self.settings.find_unused)

    @property
    def device(self) -> torch.device:
        return torch.device(self.parameters[0].device)

    def has_turn(self, step: int) -> bool:
        """Whether the player takes a turn at that step of the run. The first step is 1."""
        every, last = self.settings.every, self.settings.last
        return step % every == 0 and (last is None or step <= last)

    @property
    def fixed(self) -> bool:
        """Whether the player had its last turn before the end of the run."""
        return self.turns >= self.settings.most

    @property
    def unfinished(self) -> bool:
        """Whether the player still trains, and will be fixed before the end of the run."""
        return self.settings.last is not None and not self.fixed

    def settle(self) -> None:
        """Call it after `step.train()`: puts the player's own modules in eval mode if it had its last turn."""
        if self.fixed:
            for module in self._modules:
                module.eval()

    def turn(self, batch: Batch) -> Loss:
        """Makes one update. The returned loss and its terms are means over ranks.

        Adds the terms "gradient_norm" (before clipping) and "lr". Raises NonFiniteError, on every
        rank and before anything is changed, if the loss or the gradient is not finite.
        """
        self.optimizer.zero_grad(set_to_none=True)
        with self._others_frozen():
            loss, norm = self.rule(self, batch)
        own = {"total": loss.total.detach(), **loss.terms, "gradient_norm": norm}
        averaged = distributed.mean(own)
        self._require_finite(averaged, own["total"], batch)
        for group, base in zip(self.optimizer.param_groups, self._base_lr, strict=True):
            group["lr"] = base * self.schedule(self.turns)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.turns += 1
        if self.ema is not None:
            self.ema.update()
            if self.fixed:
                self.ema.adopt()
        self.settle()
        averaged["lr"] = torch.tensor(self.optimizer.param_groups[0]["lr"])
        return Loss(averaged.pop("total"), averaged)

    def loss(self, batch: Batch, micro_batches: int = 1) -> Loss:
        """This rank's loss; see `gradients.Turn`."""
        with autocast(self.settings.precision, self.device):
            loss: Loss = self._forward(batch, self.settings.objectives, micro_batches)
        return loss

    def backward(self, loss: Loss) -> None:
        """Adds the gradient, averaged over ranks, to `.grad`; see `gradients.Turn`."""
        torch.autograd.backward(loss.total)
        if self._is_cut:
            sharding.average_scalars(self.parameters)

    @contextmanager
    def _others_frozen(self) -> Iterator[None]:
        """Inside, gradients flow through the parameters of other players, but are not computed for them."""
        for parameter in self._others:
            parameter.requires_grad_(False)
        try:
            yield
        finally:
            for parameter in self._others:
                parameter.requires_grad_(True)

    def _require_finite(self, averaged: dict[str, Tensor], own: Tensor, batch: Batch) -> None:
        loss, norm = averaged["total"], averaged["gradient_norm"]
        if bool(loss.isfinite() & norm.isfinite()):
            return
        self.optimizer.zero_grad(set_to_none=True)
        # Name the rows of the ranks whose own loss is not finite; all rows if only the gradient is not finite.
        blamed = distributed.all_strings([] if own.isfinite() else list(batch.ids))
        ids = blamed or distributed.all_strings(list(batch.ids))
        barrier()  # no rank leaves while another still waits for its ids
        what = (
            f"loss of player '{self.name}' is {loss.item():g}, its gradient's norm {norm.item():g}"
        )
        raise NonFiniteError(what, ids)


def _trains_only(module: nn.Module, parameters: Container[Tensor]) -> bool:
    """Whether the module has trainable parameters, and all of them are among these."""
    trained = [p for p in module.parameters() if p.requires_grad]
    return bool(trained) and all(p in parameters for p in trained)
