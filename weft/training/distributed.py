"""Training on several ranks. Everything works unchanged on one process.

`torchrun --nproc-per-node N` sets the environment; `session` reads it. Ranks differ only in their rows
and in the random numbers of layers (dropout, dropped patches, stochastic depth). With such layers, two
ranks do not give the same gradient as one. The random numbers of objectives depend on the row, not on
the rank, and batch norms compute their statistics over the rows of all ranks.
"""

import gc
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from importlib import import_module
from typing import Any, Literal

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from weft.core.distributed import world_size
from weft.core.errors import WeftError
from weft.layers.batch_norm import synchronise
from weft.training.sharding import forget_groups

DeviceName = Literal["auto", "cpu", "cuda"]


def device(name: DeviceName = "auto") -> torch.device:
    """The device of this rank: the local rank's GPU if there is one and `name` allows it, otherwise the CPU."""
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise WeftError("device 'cuda' was asked for, but torch sees no GPU here")
    if name == "cpu" or not available:
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))


@contextmanager
def session(name: DeviceName = "auto") -> Iterator[torch.device]:
    """Joins the ranks that torchrun started (gloo on CPU, nccl on GPUs) and leaves them at the end.

    Without torchrun's environment there is one rank and nothing to join. Yields the device.
    """
    chosen = device(name)
    if chosen.type == "cuda":
        torch.cuda.set_device(chosen)
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or dist.is_initialized():
        yield chosen
        return
    backend = "nccl" if chosen.type == "cuda" else "gloo"
    # A rank may have to wait for another's validation; the default of ten minutes is too short for that.
    with joined(backend, timeout=timedelta(hours=1)):
        yield chosen


@contextmanager
def joined(backend: str, **where: Any) -> Iterator[None]:
    """Creates a process group, with the options of `torch.distributed.init_process_group`; destroys it at the end.

    Destroying it ends the backend's threads. A thread that still runs when the interpreter exits can
    abort the process (https://github.com/pytorch/pytorch/pull/179291).
    """
    # Imported here, before a group exists: the module's default arguments keep a reference to the group
    # that exists at its first import (torch.utils.checkpoint imports it late), and a group to which
    # something refers is not destroyed.
    import_module("torch.distributed.nn.functional")
    dist.init_process_group(backend, **where)
    try:
        yield
    finally:
        forget_groups()
        dist.destroy_process_group()
        gc.collect()  # FSDP's state refers to the group too, in reference cycles


def wrap(step: nn.Module, *, find_unused: bool = False) -> nn.Module:
    """Returns `step` wrapped so that gradients are averaged over ranks; on one rank, `step` itself.

    Its batch norms then use statistics over all ranks. Parameters that do not require gradients are left
    alone, so freeze before wrapping. find_unused: True if the loss of some batch does not depend on every
    trainable parameter.
    """
    if world_size() == 1:
        return step
    synchronise(step)
    return DistributedDataParallel(step, find_unused_parameters=find_unused)


def mean(values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Averages each scalar over the ranks, with one message. Every rank must pass the same names."""
    if world_size() == 1 or not values:
        return dict(values)
    stacked = torch.stack([value.float() for value in values.values()])
    dist.all_reduce(stacked)
    return dict(zip(values, (stacked / world_size()).unbind(), strict=True))


def from_first(values: Mapping[str, float], place: torch.device) -> dict[str, float]:
    """Returns rank 0's numbers on every rank, so that all ranks decide the same."""
    if world_size() == 1 or not values:
        return dict(values)
    sent = torch.tensor(list(values.values()), dtype=torch.float64, device=place)
    dist.broadcast(sent, src=0)
    return dict(zip(values, sent.tolist(), strict=True))


def all_strings(mine: Sequence[str]) -> list[str]:
    """Returns the strings of all ranks, in rank order."""
    if world_size() == 1:
        return list(mine)
    parts: list[list[str] | None] = [None] * world_size()
    dist.all_gather_object(parts, list(mine))
    return [text for part in parts for text in part or []]
