"""Attention weights for explanations. They are computed only while they are recorded."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from weft.layers.packing import Packing


@dataclass(frozen=True)
class Attention:
    """The record of one attention layer in one forward pass.

    layer: the module; `model.named_modules()` gives its name. queries, keys: positions of the tokens, with their
    stream if a fusion sets it. weights: (B, N, T, L) fp32 over the padded batch; each row sums to 1, or is zero where
    query or key is padding. They are part of the graph, so `weights.grad` exists after a backward pass.
    """

    layer: nn.Module
    queries: Packing
    keys: Packing
    weights: Tensor

    @property
    def kind(self) -> Literal["self", "cross"]:
        return "self" if self.queries is self.keys else "cross"


class _Active(threading.local):
    """State of each thread: a server may explain one request while it answers another."""

    records: list[Attention] | None = None


_active = _Active()


def active_records() -> list[Attention] | None:
    """Returns the list for this thread's attention weights; None outside `recording`."""
    return _active.records


@contextmanager
def recording() -> Iterator[list[Attention]]:
    """Inside, every attention layer records its weights, in the order of computation.

        with recording() as attentions:
            logits = model(...)
        logits[0, answer].backward()
        attentions[0].weights.grad

    Outputs stay the same up to rounding. Activation checkpointing would record its recomputation too, so run the
    backward pass outside.
    """
    before = _active.records
    _active.records = []
    try:
        yield _active.records
    finally:
        _active.records = before
