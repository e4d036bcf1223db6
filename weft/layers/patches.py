"""Pictures as patches, and positions on a grid of patches (Dosovitskiy et al. 2021, arXiv:2010.11929)."""

from typing import Literal

import torch.nn.functional as F
from torch import Tensor

Interpolation = Literal["bicubic", "bilinear"]


def grid_of(pixels: Tensor, size: int) -> tuple[int, int]:
    """Returns the rows and columns of patches of pictures (..., H, W). Raises ValueError if the sides are not
    multiples of `size`."""
    height, width = pixels.shape[-2:]
    if height % size or width % size:
        raise ValueError(
            f"images are {height} x {width} pixels, expected multiples of the patch size {size}"
        )
    return height // size, width // size


def patches_of(pixels_BCHW: Tensor, size: int) -> Tensor:
    """(B, T, C * size * size): patches row by row.

    A linear map of them equals a convolution whose stride is its kernel size.
    """
    rows, columns = grid_of(pixels_BCHW, size)
    pictures, channels = pixels_BCHW.shape[:2]
    patches = pixels_BCHW.view(pictures, channels, rows, size, columns, size)
    return patches.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)


def resized(
    positions_TD: Tensor, side: int, grid: tuple[int, int], kind: Interpolation = "bicubic"
) -> Tensor:
    """Interpolates position embeddings of a square grid of `side` patches for another grid (section 3.2).

    Bilinear: the outermost patches keep their positions (ViLT).
    """
    if grid == (side, side):
        return positions_TD
    dim = positions_TD.shape[1]
    grid_1DHW = positions_TD.float().T.reshape(1, dim, side, side)
    grid_1DHW = F.interpolate(grid_1DHW, size=grid, mode=kind, align_corners=kind == "bilinear")
    return grid_1DHW[0].flatten(1).T.to(positions_TD.dtype)
