"""Ranks and the one collective that objectives need. Everything works unchanged on one process."""

import torch
import torch.distributed as dist
from torch import Tensor


def world_size() -> int:
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: object, tensor: Tensor) -> Tensor:
        parts = [torch.empty_like(tensor) for _ in range(world_size())]
        dist.all_gather(parts, tensor.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: object, *gradients: Tensor) -> Tensor:
        (gradient,) = gradients
        gradient = gradient.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(gradient)
        return gradient.chunk(world_size())[rank()]


def gather(tensor: Tensor) -> Tensor:
    """(B, ...) on each rank -> (R * B, ...) on every rank, in rank order, with gradient.

    The gradient of a row is the sum of what all ranks' losses say of it. Every rank must hold the
    same B.
    """
    if world_size() == 1:
        return tensor
    if tensor.requires_grad:
        gathered: Tensor = _Gather.apply(tensor)  # type: ignore[no-untyped-call]
        return gathered
    parts = [torch.empty_like(tensor) for _ in range(world_size())]
    dist.all_gather(parts, tensor.contiguous())
    return torch.cat(parts)


def mean_of_all(costs: Tensor) -> Tensor:
    """The mean of what all ranks hold (N,) together, each any number; 0 where none holds any.

    This rank's part of it, scaled so that the mean over ranks, which data-parallel training takes of
    losses and gradients, is that mean.
    """
    count = torch.tensor([costs.numel()], device=costs.device)
    everywhere = gather(count).sum().clamp(min=1)
    return costs.sum() * world_size() / everywhere


def barrier() -> None:
    """Waits until every rank is here."""
    if world_size() > 1:
        dist.barrier()
