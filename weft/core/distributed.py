"""Communication between ranks, for objectives. Everything works unchanged in one process.

Data-parallel training averages losses and gradients over ranks. So a loss that is a mean over rows, tokens or
objects divides its sum by the count over all ranks and multiplies by the number of ranks (`mean_of_all`). The mean
over ranks is then the mean over the whole batch, however many items each rank holds.
"""

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor


def world_size() -> int:
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: object, tensor: Tensor) -> Tensor:
        return _all_parts(tensor)

    @staticmethod
    def backward(ctx: object, *gradients: Tensor) -> Tensor:
        (gradient,) = gradients
        gradient = gradient.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(gradient)
        return gradient.chunk(world_size())[rank()]


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: object, tensor: Tensor) -> Tensor:
        return _summed(tensor)

    @staticmethod
    def backward(ctx: object, *gradients: Tensor) -> Tensor:
        return _summed(gradients[0])


def gather(tensor: Tensor) -> Tensor:
    """(B, ...) on each rank -> (A, ...) on every rank, in rank order, with gradient.

    The gradient of a row is the sum of its gradients from the losses of all ranks. Ranks may hold different numbers
    of rows B, and of tokens T in dimension 1, which is padded with zeros to the longest rank.
    """
    if world_size() == 1:
        return tensor
    if tensor.dtype == torch.bool:
        return gather(tensor.byte()).bool()
    shapes = _all_parts(torch.tensor([tensor.shape[:2]], device=tensor.device)).tolist()
    counts = [shape[0] for shape in shapes]
    padded = _padded(tensor, [max(sizes) for sizes in zip(*shapes, strict=True)])
    if tensor.requires_grad:
        gathered: Tensor = _Gather.apply(padded)  # type: ignore[no-untyped-call]
    else:
        gathered = _all_parts(padded)
    if min(counts) == max(counts):
        return gathered
    parts = gathered.chunk(world_size())
    return torch.cat([part[:count] for part, count in zip(parts, counts, strict=True)])


def rows_before(rows: int, device: torch.device) -> int:
    """The index of this rank's first row among the rows of all ranks. rows: how many rows this rank holds."""
    if world_size() == 1:
        return 0
    return int(_all_parts(torch.tensor([rows], device=device))[: rank()].sum())


def sum_of_all(tensor: Tensor) -> Tensor:
    """The sum over ranks, on every rank, with gradient."""
    if world_size() == 1:
        return tensor
    summed: Tensor = _Sum.apply(tensor)  # type: ignore[no-untyped-call]
    return summed


def mean_of_all(costs: Tensor, count: Tensor | int | None = None) -> Tensor:
    """The mean over the items of all ranks; each rank holds any number of items. 0 if there are none.

    Returns this rank's share, scaled so that the mean over ranks is that mean.

    costs: the costs of this rank's items, in any shape. count: the number of items, if it is not the number of
    `costs`.
    """
    own = torch.as_tensor(costs.numel() if count is None else count, device=costs.device)
    everywhere = own if world_size() == 1 else _summed(own)
    return costs.sum() * world_size() / everywhere.clamp(min=1)


def barrier() -> None:
    """Waits until every rank has arrived."""
    if world_size() > 1:
        dist.barrier()


def _all_parts(tensor: Tensor) -> Tensor:
    parts = [torch.empty_like(tensor) for _ in range(world_size())]
    dist.all_gather(parts, tensor.contiguous())
    return torch.cat(parts)


def _summed(tensor: Tensor) -> Tensor:
    summed = tensor.clone(memory_format=torch.contiguous_format)
    dist.all_reduce(summed)
    return summed


def _padded(tensor: Tensor, sizes: list[int]) -> Tensor:
    """`tensor` padded with zeros to these sizes of its first dimensions."""
    missing = [size - own for size, own in zip(sizes, tensor.shape, strict=False)]
    if not any(missing):
        return tensor
    after = [0, 0] * (tensor.ndim - len(missing))
    for number in reversed(missing):
        after += [0, number]
    return F.pad(tensor, after)
