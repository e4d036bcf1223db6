"""Attention weights for explanations: kept while somebody asks, never computed otherwise."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from weft.layers.packing import Packing


@dataclass(frozen=True)
class Attention:
    """What one attention layer did in one forward pass.

    layer: the module; `model.named_modules()` tells its name. queries, keys: where the tokens lie,
    and of which stream they are where a fusion says so. weights: (B, N, T, L) fp32 over the padded
    batch, a row of them adds up to 1, all zero where query or key is padding; part of the graph, so
    that after a backward pass `weights.grad` is there.
    """

    layer: nn.Module
    queries: Packing
    keys: Packing
    weights: Tensor

    @property
    def kind(self) -> Literal["self", "cross"]:
        return "self" if self.queries is self.keys else "cross"


class _Active(threading.local):
    """Of each thread by itself: a server may explain one request while it answers another."""

    records: list[Attention] | None = None


_active = _Active()


def active_records() -> list[Attention] | None:
    """Where attention layers of this thread put their weights, None where nobody asked."""
    return _active.records


@contextmanager
def recording() -> Iterator[list[Attention]]:
    """While it lasts every attention layer keeps its weights, in the order of computation.

        with recording() as attentions:
            logits = model(...)
        logits[0, answer].backward()
        attentions[0].weights.grad

    Outputs stay the same to rounding. What activation checkpointing computes again is not kept
    twice: a backward pass belongs outside.
    """
    before = _active.records
    _active.records = []
    try:
        yield _active.records
    finally:
        _active.records = before
