"""Dropout (Srivastava et al. 2014, JMLR 15) that is cheap on a processor."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weft.layers.padded import is_padded

LEVELS = 256
"""A random byte decides about a value, so a chance is rounded to a multiple of 1 / 256 on CPUs."""


def dropout(values: Tensor, chance: float) -> Tensor:
    """Each value is zero with that chance, the others are scaled to keep the mean.

    On a CPU torch draws a number for each value, which takes longer than the product before it; a drawn
    integer has eight bytes, each as good. A million values then take 2 ms in place of 10.
    """
    if values.device.type != "cpu" or is_padded():  # torch.func draws for each row by itself
        return F.dropout(values, chance)
    dropped = min(round(chance * LEVELS), LEVELS - 1)
    if dropped == 0:
        return values
    count = values.numel()
    drawn = torch.empty(-(-count // 8), dtype=torch.int64).random_(-(2**63), None)
    kept = drawn.view(torch.uint8)[:count].view(values.shape) >= dropped
    return values * (kept * (LEVELS / (LEVELS - dropped))).to(values.dtype)


class Dropout(nn.Module):
    """`dropout` in training, nothing otherwise."""

    def __init__(self, chance: float) -> None:
        super().__init__()
        self.chance = chance

    def forward(self, values: Tensor) -> Tensor:
        return dropout(values, self.chance) if self.training and self.chance else values
