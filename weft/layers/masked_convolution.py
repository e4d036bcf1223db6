"""Convolutions over time whose rows are of different lengths: padding is zero before each, and never counted.

Grids are (B, C, T, ...) with a mask (B, T), or None where all frames are real. A row alone and the same row in a
padded batch give the same values to rounding.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weft.core.distributed import world_size
from weft.layers.padded import is_padded


def without_padding(grid_BCTX: Tensor, mask_BT: Tensor | None) -> Tensor:
    """Zeros where there is no frame, whatever stood there."""
    if mask_BT is None:
        return grid_BCTX
    shape = (mask_BT.shape[0], 1, mask_BT.shape[1], *(1,) * (grid_BCTX.ndim - 3))
    return grid_BCTX.masked_fill(~mask_BT.view(shape), 0)


def halved_mask(mask_BT: Tensor) -> Tensor:
    """(B, ceil(T / 2)) of every second frame, as a mask of its own: of a slice's strides an exported graph would ask that its
    length be odd, or even, as it was traced."""
    return mask_BT.index_select(1, torch.arange(0, mask_BT.shape[1], 2, device=mask_BT.device))


class PaddedBatchNorm(nn.Module):
    """Batch norm of a grid (B, C, T, W); mean and variance are those of the real frames alone.

    Values are normalised as a matrix (places, C): of grids with a side of one torch 2.13 computes wrong gradients
    where they are laid out by pixel.
    """

    def __init__(self, channels: int, *, affine: bool = True) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(channels, affine=affine)

    def forward(self, grid_BCTW: Tensor, mask_BT: Tensor | None = None) -> Tensor:
        values_BTWC = grid_BCTW.permute(0, 2, 3, 1)
        # In evaluation every value is mapped by itself; padding is made zero by the caller.
        if mask_BT is None or not self.training or is_padded():
            return self.matrix(values_BTWC).permute(0, 3, 1, 2)
        normal_SWC = self.matrix(values_BTWC[mask_BT])
        out_BTWC = normal_SWC.new_zeros(values_BTWC.shape)
        out_BTWC[mask_BT] = normal_SWC
        return out_BTWC.permute(0, 3, 1, 2)

    def matrix(self, values: Tensor) -> Tensor:
        """(..., C) of real places -> the same, normalised; one place alone, which has no variance, by the running statistics."""
        matrix, norm = values.reshape(-1, values.shape[-1]), self.norm
        normal: Tensor
        if self.training and not is_padded() and matrix.shape[0] == 1 and world_size() == 1:
            mean, variance = norm.running_mean, norm.running_var
            normal = F.batch_norm(matrix, mean, variance, norm.weight, norm.bias, eps=norm.eps)
        else:
            normal = norm(matrix)
        return normal.view(values.shape)


def halved(
    grid_BCTW: Tensor, mask_BT: Tensor | None, *, time: bool
) -> tuple[Tensor, Tensor | None]:
    """The mean of each two frames, if `time`, and of each two bands; what is left over at the end stays.

    A pair of which one frame is real is that one.
    """
    rows, _, frames, bands = grid_BCTW.shape
    in_time, in_bands = (2 if time else 1), (2 if bands > 1 else 1)
    if rows == 0:
        shape = (0, grid_BCTW.shape[1], -(-frames // in_time), -(-bands // in_bands))
        mask = mask_BT if mask_BT is None or not time else mask_BT[:, ::2]
        return grid_BCTW.new_zeros(shape) + grid_BCTW.sum(), mask
    # One frame of zeros more, which an even number of frames leaves out: no shape depends on which it is.
    grid_BCTW = F.pad(grid_BCTW, (0, bands % 2 if in_bands == 2 else 0, 0, int(time)))
    means_BCTW = F.avg_pool2d(grid_BCTW, (in_time, in_bands))
    if in_bands == 2 and bands % 2:
        means_BCTW = torch.cat([means_BCTW[..., :-1], means_BCTW[..., -1:] * 2], dim=3)
    if not time or (mask_BT is None and not is_padded() and frames % 2 == 0):
        return means_BCTW, mask_BT
    real_BT = grid_BCTW.new_ones(rows, frames) if mask_BT is None else mask_BT.to(grid_BCTW.dtype)
    shares_B1T = F.avg_pool1d(F.pad(real_BT, (0, 1))[:, None], 2)
    found_BCTW = means_BCTW / shares_B1T.clamp_min(0.5)[..., None]
    return found_BCTW, None if mask_BT is None else shares_B1T[:, 0] > 0
