"""Convolutions over time for rows of different lengths: padding is zeroed before each and excluded from statistics.

Grids are (B, C, T, ...) with a mask (B, T), or None if all frames are real. A row alone and the same row in a padded
batch give the same values up to rounding.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weft.core.distributed import world_size
from weft.layers.padded import is_padded


def without_padding(grid_BCTX: Tensor, mask_BT: Tensor | None) -> Tensor:
    """Sets frames in the padding to zero, whatever their values."""
    if mask_BT is None:
        return grid_BCTX
    shape = (mask_BT.shape[0], 1, mask_BT.shape[1], *(1,) * (grid_BCTX.ndim - 3))
    return grid_BCTX.masked_fill(~mask_BT.view(shape), 0)


def halved_mask(mask_BT: Tensor) -> Tensor:
    """(B, ceil(T / 2)) Mask of every second frame, as a new tensor: with a slice, an exported graph would require T
    to stay odd, or even, as in the trace."""
    return mask_BT.index_select(1, torch.arange(0, mask_BT.shape[1], 2, device=mask_BT.device))


class PaddedBatchNorm(nn.Module):
    """Batch norm of a grid (B, C, T, W); mean and variance are over real frames only.

    Values are normalised as a matrix (positions, C), because torch 2.13 computes wrong gradients for channels-last
    grids with a side of 1.
    """

    def __init__(self, channels: int, *, affine: bool = True) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(channels, affine=affine)

    def forward(self, grid_BCTW: Tensor, mask_BT: Tensor | None = None) -> Tensor:
        values_BTWC = grid_BCTW.permute(0, 2, 3, 1)
        # In evaluation each value is mapped independently; the caller zeroes the padding.
        if mask_BT is None or not self.training or is_padded():
            return self.matrix(values_BTWC).permute(0, 3, 1, 2)
        normal_SWC = self.matrix(values_BTWC[mask_BT])
        out_BTWC = normal_SWC.new_zeros(values_BTWC.shape)
        out_BTWC[mask_BT] = normal_SWC
        return out_BTWC.permute(0, 3, 1, 2)

    def matrix(self, values: Tensor) -> Tensor:
        """(..., C) of real positions -> the same, normalised. A single position has no variance, so it uses the
        running statistics."""
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
    """Averages pairs of frames, if `time`, and pairs of bands. A left over one at the end stays.

    In a pair with only one real frame, that frame is the result.
    """
    rows, _, frames, bands = grid_BCTW.shape
    in_time, in_bands = (2 if time else 1), (2 if bands > 1 else 1)
    if rows == 0:
        shape = (0, grid_BCTW.shape[1], -(-frames // in_time), -(-bands // in_bands))
        mask = mask_BT if mask_BT is None or not time else mask_BT[:, ::2]
        return grid_BCTW.new_zeros(shape) + grid_BCTW.sum(), mask
    # Appends one frame of zeros, which is cut off for even lengths, so no shape depends on the
    # parity.
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
