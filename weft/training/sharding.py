"""FSDP2: parameters, gradients and optimizer states cut over the ranks.

Each block of a deep stack is gathered when it runs and let go afterwards; the rest of a step is gathered
once for a forward and a backward. Every rank holds the same share of the rows of each tensor, so all
arithmetic between tensors of one shape is done on `local` parts, without a message. Scalars, such as
a temperature, cannot be cut: they stay whole on every rank, and their gradients are averaged here.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast
from weakref import ref

import torch
import torch.distributed as dist
from torch import Tensor, nn

from weft.core.distributed import rank, world_size
from weft.core.errors import WeftError
from weft.core.interfaces import Recomputing
from weft.layers.batch_norm import synchronise

if TYPE_CHECKING:  # 0.8 seconds of imports, which a run on one process need not pay
    from torch.distributed.device_mesh import DeviceMesh
    from torch.distributed.fsdp import FSDPModule
    from torch.distributed.tensor import DTensor

TORCH = "2.13"
"""Earlier ones do not see the loss inside a `Loss`, and would leave out gradients without a word."""

_meshes: "list[ref[DeviceMesh]]" = []
"""The meshes that `shard` made. Not a set: meshes over the same ranks are equal, so a set would hold only one."""


def shard(step: nn.Module, device: torch.device) -> None:
    """Cuts the parameters of `step`, on `device` already, over the ranks; rank 0's values count.

    Do it before the optimizer is built. One process has nothing to cut.
    """
    if world_size() == 1:
        return
    if torch.__version__ < TORCH:  # which compares as versions do
        raise WeftError(f"parallel is 'fsdp', which needs torch {TORCH}, got {torch.__version__}")
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    synchronise(step)
    for parameter in step.parameters():
        # Weights of convolutions may lie channels last, which FSDP does not cut.
        parameter.data = parameter.data.contiguous()
    for tensor in (*step.parameters(), *step.buffers()):
        dist.broadcast(tensor.detach(), src=0)
    mesh = init_device_mesh(device.type, (world_size(),))
    _meshes.append(ref(mesh))
    scalars = {parameter for parameter in step.parameters() if parameter.ndim == 0}
    for block in blocks(step):
        fully_shard(block, mesh=mesh, ignored_params=scalars)
    fully_shard(step, mesh=mesh, ignored_params=scalars)


def forget_groups() -> None:
    """Makes the meshes of `shard` let go of their process groups, after which nothing cut can be used.

    Torch's caches of operations on cut tensors keep a mesh until the process ends, and the mesh its groups.
    """
    for found in _meshes:
        mesh = found()
        if mesh is not None:
            # A private attribute, which a later torch may not have.
            getattr(mesh, "_pg_registry", {}).clear()
    _meshes.clear()


def blocks(step: nn.Module) -> list[nn.Module]:
    """The blocks of all stacks in `step`, which run one after the other and through `forward` alone."""
    found: dict[nn.Module, None] = {}
    inside: set[nn.Module] = set()
    for stack in step.modules():
        if not isinstance(stack, Recomputing):
            continue
        for layers in stack.modules():
            if isinstance(layers, nn.ModuleList) and layers not in inside:
                for block in layers:
                    inside.update(block.modules())
                    found[block] = None
    return list(found)


def is_sharded(tensor: Tensor) -> bool:
    """Whether this rank holds only some rows of the tensor (a DTensor)."""
    return hasattr(tensor, "to_local")


def holds_shards(step: nn.Module) -> bool:
    """Whether `shard` has cut the step."""
    return any(is_sharded(parameter) for parameter in step.parameters())


def local(tensor: Tensor) -> Tensor:
    """What this rank holds of the tensor, sharing its memory."""
    detached = tensor.detach()
    return cast("DTensor", detached).to_local() if is_sharded(detached) else detached


def whole_on_first(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The whole tensors on rank 0, nothing on the others. Every rank calls it.

    What was cut comes to the memory of rank 0's host, tensor after tensor.
    """
    whole: dict[str, Tensor] = {}
    aliases = tied(tensors)
    for name, tensor in tensors.items():
        full = tensor.detach()
        if is_sharded(tensor):
            full = cast("DTensor", full).full_tensor().cpu()
        if rank() == 0:
            whole[name] = whole.get(aliases.get(name, name), full)
    return whole


def tied(tensors: Mapping[str, Tensor]) -> dict[str, str]:
    """Name -> the first name of the same tensor, for the further ones, as this rank sees it.

    A rank that holds no row of a tensor does not see it; rank 0 holds a row of every one.
    """
    names: dict[tuple[object, ...], str] = {}
    aliases: dict[str, str] = {}
    for name, tensor in tensors.items():
        part = local(tensor)
        key = (part.data_ptr(), part.device, part.dtype, part.shape, part.stride())
        first = names.setdefault(key, name)
        if first != name and part.numel():
            aliases[name] = first
    return aliases


@torch.no_grad()
def fill(target: Tensor, whole: Tensor) -> None:
    """Writes a whole tensor into `target`, cut or not: of a cut one each rank writes its own rows."""
    if not is_sharded(target):
        target.copy_(whole)
        return
    from torch.distributed.tensor import distribute_tensor

    cut = cast("DTensor", target)
    placed = whole.to(cut.device)
    # No rank sends: every rank has read the whole tensor and takes its own rows.
    given = distribute_tensor(placed, cut.device_mesh, cut.placements, src_data_rank=None)
    local(target).copy_(local(given))


@contextmanager
def gathered(step: nn.Module) -> Iterator[None]:
    """Inside, parts of the model can be called by themselves; blocks still come one by one."""
    if not holds_shards(step):
        yield
        return
    module = cast("FSDPModule", step)
    module.unshard()
    try:
        yield
    finally:
        module.reshard()


@torch.no_grad()
def average_scalars(parameters: Sequence[Tensor]) -> None:
    """The mean over ranks of the gradients that FSDP leaves alone."""
    gradients = [p.grad for p in parameters if p.grad is not None and not is_sharded(p)]
    if not gradients:
        return
    stacked = torch.stack(gradients)
    dist.all_reduce(stacked)
    torch._foreach_copy_(gradients, list(stacked.div_(world_size()).unbind()))


@torch.no_grad()
def clip_gradient(parameters: Sequence[Tensor], limit: float | None) -> Tensor:
    """The norm of the whole gradient, which is then scaled to at most `limit`."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    cut = [local(g) for g in gradients if is_sharded(g)]
    norm = nn.utils.get_total_norm([g for g in gradients if not is_sharded(g)])
    if cut:
        squares = nn.utils.get_total_norm(cut).square()
        dist.all_reduce(squares)
        norm = (squares + norm.to(squares).square()).sqrt()
    if limit is not None:
        scale = (limit / (norm + 1e-6)).clamp(max=1.0)
        torch._foreach_mul_([local(g) for g in gradients], scale)
    return norm
