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


def space_to_depth(values_BCHW: Tensor, size: int) -> Tensor:
    """(B, C, H, W) -> (B, C * size ** 2, H / size, W / size): each square of `size` pixels becomes one place.

    torch's `pixel_unshuffle` does not reshape an empty batch.
    """
    high, wide = grid_of(values_BCHW, size)
    rows, channels = values_BCHW.shape[:2]
    squares = values_BCHW.reshape(rows, channels, high, size, wide, size)
    return squares.permute(0, 1, 3, 5, 2, 4).reshape(rows, channels * size**2, high, wide)


def depth_to_space(places_BCHW: Tensor, size: int) -> Tensor:
    """The reverse of `space_to_depth`."""
    rows, deep, high, wide = places_BCHW.shape
    channels = deep // size**2
    squares = places_BCHW.reshape(rows, channels, size, size, high, wide)
    return squares.permute(0, 1, 4, 2, 5, 3).reshape(rows, channels, high * size, wide * size)


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
