"""Convolutions over time whose rows are of different lengths: padding is zero before each, and never counted.

Grids are (B, C, T, ...) with a mask (B, T), or None where all frames are real. A row alone and the same row in a
padded batch give the same values to rounding.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from weft.layers.padded import is_padded


def without_padding(grid_BCTX: Tensor, mask_BT: Tensor | None) -> Tensor:
    """Zeros where there is no frame, whatever stood there."""
    if mask_BT is None:
        return grid_BCTX
    shape = (mask_BT.shape[0], 1, mask_BT.shape[1], *(1,) * (grid_BCTX.ndim - 3))
    return grid_BCTX.masked_fill(~mask_BT.view(shape), 0)


class PaddedBatchNorm(nn.Module):
    """Batch norm of a grid (B, C, T, W); mean and variance are those of the real frames alone."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, grid_BCTW: Tensor, mask_BT: Tensor | None = None) -> Tensor:
        # In evaluation every value is mapped by itself; padding is made zero by the caller.
        if mask_BT is None or not self.training or is_padded():
            normal: Tensor = self.norm(grid_BCTW)
            return normal
        real_BTCW = grid_BCTW.transpose(1, 2)
        normal_SCW = self.norm(real_BTCW[mask_BT][..., None])[..., 0]
        out_BTCW = real_BTCW.new_zeros(real_BTCW.shape, dtype=normal_SCW.dtype)
        out_BTCW[mask_BT] = normal_SCW
        return out_BTCW.transpose(1, 2)


def halved(
    grid_BCTW: Tensor, mask_BT: Tensor | None, *, time: bool
) -> tuple[Tensor, Tensor | None]:
    """The mean of each two frames, if `time`, and of each two bands; what is left over at the end stays.

    A pair of which one frame is real is that one.
    """
    frames, bands = (2 if time else 1), (2 if grid_BCTW.shape[3] > 1 else 1)
    if grid_BCTW.shape[2] == 0 or grid_BCTW.shape[0] == 0:
        shape = (
            *grid_BCTW.shape[:2],
            -(-grid_BCTW.shape[2] // frames),
            -(-grid_BCTW.shape[3] // bands),
        )
        mask = None if mask_BT is None else mask_BT[:, ::frames]
        return grid_BCTW.new_zeros(shape) + grid_BCTW.sum() * 0, mask
    means_BCTW = F.avg_pool2d(grid_BCTW, (frames, bands), ceil_mode=True, count_include_pad=False)
    if mask_BT is None or not time:
        return means_BCTW, mask_BT
    real_B1T = mask_BT[:, None].to(grid_BCTW.dtype)
    shares_B1T = F.avg_pool1d(real_B1T, 2, ceil_mode=True, count_include_pad=False)
    return means_BCTW / shares_B1T.clamp_min(0.5)[..., None], shares_B1T[:, 0] > 0
