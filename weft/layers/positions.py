"""Fixed codes of places in a sequence."""

import math

import torch
from torch import Tensor


def sine_positions(places_S: Tensor, dim: int, longest: float = 10_000.0) -> Tensor:
    """(S, dim): sines, then cosines, of the places (Vaswani et al. 2017, arXiv:1706.03762, section 3.5).

    Wavelengths go from 2 pi to `longest` x 2 pi places. dim: even. In the order of Whisper and tensor2tensor: all sines
    first.
    """
    half = dim // 2
    steps = torch.arange(half, device=places_S.device, dtype=torch.float32)
    scales = torch.exp(-math.log(longest) / max(1, half - 1) * steps)
    angles = places_S.float()[:, None] * scales
    return torch.cat([angles.sin(), angles.cos()], dim=1)
