"""Batch norm over the rows of all ranks (Ioffe & Szegedy 2015, arXiv:1502.03167, algorithm 1)."""

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from weft.core.distributed import sum_of_all, world_size


class SynchronisedBatchNorm(_BatchNorm):
    """A batch norm with mean and variance over the rows of all ranks, on any device.

    (B, C, ...) -> the same. Parameters and buffers equal those of torch's batch norm, and so do values on one rank or
    outside training; torch's SyncBatchNorm works only on GPUs. All ranks must call it equally often, if necessary
    without rows.
    """

    def forward(self, input: Tensor) -> Tensor:
        if not self.training or world_size() == 1:
            return super().forward(input)
        rest = [0, *range(2, input.ndim)]
        shape = (1, -1, *[1] * (input.ndim - 2))
        values = input.float()
        channels = max(input.shape[1], 1)
        count = sum_of_all(values.new_tensor(values.numel() / channels)).clamp(min=1)
        mean_C = sum_of_all(values.sum(rest)) / count
        centred = values - mean_C.view(shape)
        variance_C = sum_of_all(centred.square().sum(rest)) / count
        self._remember(mean_C.detach(), variance_C.detach(), count)
        normal = centred * (variance_C + self.eps).rsqrt().view(shape)
        if self.weight is not None:
            normal = normal * self.weight.view(shape) + self.bias.view(shape)
        return normal.to(input.dtype)

    def _check_input_dim(self, input: Tensor) -> None:
        if input.ndim < 2:
            raise ValueError(f"batch norm got {input.ndim} dimensions, expected at least 2")

    @torch.no_grad()
    def _remember(self, mean_C: Tensor, variance_C: Tensor, count: Tensor) -> None:
        """Updates the running mean and the running, unbiased variance."""
        if self.running_mean is None or self.running_var is None:
            return
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        share = self.momentum
        if share is None:  # an average of all batches
            share = 1 / float(self.num_batches_tracked)
        unbiased_C = variance_C * count / (count - 1).clamp(min=1)
        self.running_mean.lerp_(mean_C.to(self.running_mean), share)
        self.running_var.lerp_(unbiased_C.to(self.running_var), share)


def synchronise(module: nn.Module) -> None:
    """Replaces every batch norm inside `module` by one over all ranks, with its parameters and buffers."""
    for parent in list(module.modules()):
        for name, child in parent.named_children():
            if isinstance(child, _BatchNorm) and not isinstance(child, SynchronisedBatchNorm):
                setattr(parent, name, _synchronised(child))


def _synchronised(norm: _BatchNorm) -> SynchronisedBatchNorm:
    with torch.device("meta"):
        made = SynchronisedBatchNorm(
            norm.num_features,
            norm.eps,
            norm.momentum,
            affine=norm.affine,
            track_running_stats=norm.track_running_stats,
        )
    made._parameters = norm._parameters
    made._buffers = norm._buffers
    return made.train(norm.training)
