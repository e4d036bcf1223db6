"""Fixed position encodings."""

import math

import torch
from torch import Tensor


def sine_positions(places_S: Tensor, dim: int, longest: float = 10_000.0) -> Tensor:
    """(S, dim): sines, then cosines, of the positions (Vaswani et al. 2017, arXiv:1706.03762, section 3.5).

    Wavelengths range from 2 pi to `longest` x 2 pi positions. dim: even. All sines come first, as in Whisper and
    tensor2tensor.
    """
    half = dim // 2
    steps = torch.arange(half, device=places_S.device, dtype=torch.float32)
    scales = torch.exp(-math.log(longest) / max(1, half - 1) * steps)
    angles = places_S.float()[:, None] * scales
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def grid_positions(rows: int, columns: int, dim: int) -> Tensor:
    """(rows * columns, dim) row by row: encodings of the row, then of the column, half of `dim` each.

    The amplitude is 1, like that of normalised tokens, so that attention distinguishes positions from the start. dim:
    a multiple of 4.
    """
    places = (torch.arange(count) for count in (rows, columns))
    down_RK, across_CK = (sine_positions(place, dim // 2, longest=100.0) for place in places)
    both = [down_RK[:, None].expand(-1, columns, -1), across_CK[None].expand(rows, -1, -1)]
    return torch.cat(both, dim=2).flatten(0, 1)
