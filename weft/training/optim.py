"""AdamW with parameter groups, the learning rate schedule, and averaged weights."""

import math
from collections.abc import Container, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn

from weft.core.config import Settings
from weft.core.errors import unknown_name
from weft.core.ranges import NOT_NEGATIVE, POSITIVE, SHARE, SHARE_BELOW_1, require
from weft.training.sharding import is_sharded, local


@dataclass(frozen=True)
class Schedule:
    """Factor on the learning rate as a pure function of the number of turns already taken.

    A linear warm-up reaches 1 at turn `warmup - 1`. Then the factor is constant, or follows a half cosine
    down to `floor` at `total` (SGDR, eq. 5, without restarts).
    """

    total: int
    warmup: int
    floor: float = 0.0
    shape: Literal["cosine", "constant"] = "cosine"

    def __call__(self, turn: int) -> float:
        if turn < self.warmup:
            return (turn + 1) / self.warmup
        if self.shape == "constant":
            return 1.0
        done = min(1.0, (turn - self.warmup) / max(1, self.total - self.warmup))
        return self.floor + (1 - self.floor) * 0.5 * (1 + math.cos(math.pi * done))


class EMA:
    """Exponential moving average of a module's trainable parameters and floating-point buffers.

    own: names of the tensors to average, None for all. Parameters that require no gradient do not change,
    so they are not copied. With `warmup` the decay after t updates is min(decay, (1 + t) / (10 + t)), so
    that early averages forget the initial weights.
    """

    def __init__(
        self,
        module: nn.Module,
        decay: float,
        *,
        warmup: bool = True,
        own: Container[str] | None = None,
    ) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"decay is {decay}, expected 0 <= decay < 1")
        self.decay, self.warmup, self.updates = decay, warmup, 0
        live: dict[str, Tensor] = {
            name: p for name, p in module.named_parameters() if p.requires_grad
        }
        live |= {name: b for name, b in module.named_buffers() if b.is_floating_point()}
        self._live = live = {
            name: tensor for name, tensor in live.items() if own is None or name in own
        }
        self.averages = {name: tensor.detach().clone() for name, tensor in live.items()}

    @torch.no_grad()
    def update(self) -> None:
        """Moves the averages towards the current values of the module."""
        warm = (1 + self.updates) / (10 + self.updates)
        decay = min(self.decay, warm) if self.warmup else self.decay
        torch._foreach_lerp_(_locals(self.averages), _locals(self._live), 1 - decay)
        self.updates += 1

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Inside, the module holds the averages; afterwards its own values, bit for bit."""
        own = {name: tensor.detach().clone() for name, tensor in self._live.items()}
        self._copy_into_module(self.averages)
        try:
            yield
        finally:
            self._copy_into_module(own)

    def adopt(self) -> None:
        """Replaces the module's own values by the averages."""
        self._copy_into_module(self.averages)

    @torch.no_grad()
    def _copy_into_module(self, values: Mapping[str, Tensor]) -> None:
        torch._foreach_copy_(_locals(self._live), _locals(values))


def _locals(tensors: Mapping[str, Tensor]) -> list[Tensor]:
    return [local(tensor) for tensor in tensors.values()]


@dataclass(frozen=True)
class OptimConfig(Settings):
    """AdamW, its schedule, clipping and averaging."""

    lr: float = 3e-4
    """Learning rate at the end of the warm-up."""
    weight_decay: float = 0.1
    """Decoupled weight decay; biases, norms, temperatures and other 0-D and 1-D parameters have none."""
    betas: tuple[float, float] = (0.9, 0.98)
    eps: float = 1e-8
    schedule: Literal["cosine", "constant"] = "cosine"
    warmup: float = 0.05
    """Share of all steps over which the learning rate rises from 0."""
    floor: float = 0.0
    """Share of the learning rate that is left at the end of the cosine."""
    clip_norm: float | None = 1.0
    """Largest norm of the gradient; None never clips."""
    groups: dict[str, float] = field(default_factory=dict)
    """Factor on the learning rate by prefix of parameter names, such as "encoders.text": 0.1; the
    longest prefix counts."""
    ema: float | None = None
    """Decay of the averaged weights that are evaluated and saved; None keeps no average."""
    ema_warmup: bool = True
    """Starts the average with a small decay."""

    def __post_init__(self) -> None:
        require(self, lr=POSITIVE, clip_norm=POSITIVE, weight_decay=NOT_NEGATIVE, eps=NOT_NEGATIVE)
        require(self, warmup=SHARE, floor=SHARE, betas=SHARE_BELOW_1, ema=SHARE_BELOW_1)
        require(self, groups=NOT_NEGATIVE)

    def build(self, module: nn.Module, own: Container[str] | None = None) -> torch.optim.AdamW:
        """AdamW over the trainable parameters of `module` (usually a TrainStep), or those named `own`."""
        return torch.optim.AdamW(
            parameter_groups(module, self.lr, self.weight_decay, self.groups, own),
            lr=self.lr,
            betas=self.betas,
            eps=self.eps,
            fused=True,
        )

    def build_schedule(self, total: int) -> Schedule:
        return Schedule(total, round(self.warmup * total), self.floor, self.schedule)

    def build_ema(self, module: nn.Module, own: Container[str] | None = None) -> EMA | None:
        """Returns the average of the module's tensors, or of those named `own`; None if `ema` is None."""
        if self.ema is None:
            return None
        return EMA(module, self.ema, warmup=self.ema_warmup, own=own)


def parameter_groups(
    module: nn.Module,
    lr: float,
    weight_decay: float,
    factors: Mapping[str, float],
    own: Container[str] | None = None,
) -> list[dict[str, object]]:
    """Groups of parameters with the same decay and learning rate, in order of first appearance.

    Sharded and unsharded parameters are in separate groups, because a fused optimizer handles only one
    kind at a time. factors: prefix of parameter names in `module` -> factor on the learning rate; a
    leading "model." may be left out of a prefix. own: names of the parameters to group, None for all
    trainable ones.
    """
    named = {
        name.removeprefix("model."): parameter
        for name, parameter in module.named_parameters()
        if parameter.requires_grad and (own is None or name in own)
    }
    if not named:
        raise ValueError("no parameter requires a gradient, expected at least one to train")
    factors = {prefix.removeprefix("model."): factor for prefix, factor in factors.items()}
    for prefix in factors:
        if not any(is_under(name, prefix) for name in named):
            depth = prefix.count(".") + 1
            known = {".".join(name.split(".")[:depth]) for name in named}
            raise unknown_name("group of trainable parameters", prefix, known)
    grouped: dict[tuple[bool, float, bool], list[Tensor]] = {}
    for name, parameter in named.items():
        key = (parameter.ndim >= 2, _factor(name, factors), is_sharded(parameter))
        grouped.setdefault(key, []).append(parameter)
    return [
        {"params": parameters, "lr": lr * factor, "weight_decay": weight_decay if decays else 0.0}
        for (decays, factor, _), parameters in grouped.items()
    ]


def is_under(name: str, prefix: str) -> bool:
    """Whether the prefix equals the name or one of its parents in the dotted path."""
    return name == prefix or name.startswith(f"{prefix}.")


def _factor(name: str, factors: Mapping[str, float]) -> float:
    fitting: Iterable[str] = (prefix for prefix in factors if is_under(name, prefix))
    longest = max(fitting, key=len, default=None)
    return 1.0 if longest is None else factors[longest]
