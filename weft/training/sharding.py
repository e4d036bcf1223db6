"""FSDP2: parameters, gradients and optimizer states sharded over the ranks.

Each block of a deep stack is gathered when it runs and freed afterwards. The rest of a step is gathered
once for forward and backward. Tensors of the same shape have the same rows on a rank, so arithmetic
between them uses the `local` parts, without communication. Scalars, such as a temperature, cannot be
sharded: every rank holds them, and `average_scalars` averages their gradients.
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

if TYPE_CHECKING:  # these imports take 0.8 seconds, and a run on one process does not need them
    from torch.distributed.device_mesh import DeviceMesh
    from torch.distributed.fsdp import FSDPModule
    from torch.distributed.tensor import DTensor

TORCH = "2.13"
"""Oldest version that works. Earlier ones do not find the loss inside a `Loss` and silently skip gradients."""

_meshes: "list[ref[DeviceMesh]]" = []
"""Meshes that `shard` made. Not a set: meshes over the same ranks are equal, so a set would hold only one."""


def shard(step: nn.Module, device: torch.device) -> None:
    """Shards the parameters of `step` over the ranks, with rank 0's values. `step` must be on `device` already.

    Call it before the optimizer is built. On one process it does nothing. Raises WeftError if torch is
    older than `TORCH`.
    """
    if world_size() == 1:
        return
    if torch.__version__ < TORCH:  # a TorchVersion, which compares as a version, not as a string
        raise WeftError(f"parallel is 'fsdp', which needs torch {TORCH}, got {torch.__version__}")
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    synchronise(step)
    for parameter in step.parameters():
        # Weights of convolutions may be channels-last, which FSDP cannot shard.
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
    """Drops the references of the meshes of `shard` to their process groups; sharded tensors are unusable afterwards.

    Torch's caches of operations on sharded tensors keep a mesh until the process ends, and the mesh keeps
    its groups.
    """
    for found in _meshes:
        mesh = found()
        if mesh is not None:
            # A private attribute that a later torch may not have.
            getattr(mesh, "_pg_registry", {}).clear()
    _meshes.clear()


def blocks(step: nn.Module) -> list[nn.Module]:
    """Returns the blocks of all stacks in `step`. Blocks run one after the other and only through `forward`."""
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
    """Whether `shard` has sharded the step."""
    return any(is_sharded(parameter) for parameter in step.parameters())


def local(tensor: Tensor) -> Tensor:
    """Returns this rank's part of the tensor, detached and sharing its memory."""
    detached = tensor.detach()
    return cast("DTensor", detached).to_local() if is_sharded(detached) else detached


def whole_on_first(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Returns the full tensors on rank 0 and nothing on the others. Every rank must call it.

    Sharded tensors are gathered one after the other and moved to host memory.
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
    """Finds tied tensors: each further name -> the first name of the same tensor, as far as this rank can tell.

    A rank that holds no row of a tensor cannot tell. Rank 0 holds at least one row of every tensor.
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
    """Copies a full tensor into `target`. If `target` is sharded, each rank copies its own rows."""
    if not is_sharded(target):
        target.copy_(whole)
        return
    from torch.distributed.tensor import distribute_tensor

    cut = cast("DTensor", target)
    placed = whole.to(cut.device)
    # No communication: every rank has read the full tensor and takes its own rows.
    given = distribute_tensor(placed, cut.device_mesh, cut.placements, src_data_rank=None)
    local(target).copy_(local(given))


@contextmanager
def gathered(step: nn.Module) -> Iterator[None]:
    """Inside, parts of the model can be called directly: all is gathered except blocks, which are gathered in turn."""
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
    """Averages over the ranks the gradients of unsharded parameters, which FSDP does not average."""
    gradients = [p.grad for p in parameters if p.grad is not None and not is_sharded(p)]
    if not gradients:
        return
    stacked = torch.stack(gradients)
    dist.all_reduce(stacked)
    torch._foreach_copy_(gradients, list(stacked.div_(world_size()).unbind()))


@torch.no_grad()
def clip_gradient(parameters: Sequence[Tensor], limit: float | None) -> Tensor:
    """Scales the gradient to a norm of at most `limit`, over the parts of all ranks. Returns the norm before that."""
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
