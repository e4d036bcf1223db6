"""One vector from many tokens."""

from typing import Literal

import torch
from torch import Tensor

Pooling = Literal["first", "last", "mean", "max"]


def pool(tokens_BTD: Tensor, mask_BT: Tensor, how: Pooling) -> Tensor:
    """(B, D): the first or last real token, or the mean or maximum of the real ones.

    A row without real tokens gives zeros. Values in the padding are never read.
    """
    if tokens_BTD.shape[1] == 0:
        return tokens_BTD.new_zeros(tokens_BTD.shape[0], tokens_BTD.shape[2])
    padding_BT1 = ~mask_BT[:, :, None]
    if how == "mean":
        total_BD = tokens_BTD.masked_fill(padding_BT1, 0).sum(dim=1)
        return total_BD / mask_BT.sum(dim=1, keepdim=True).clamp_min(1)
    if how == "max":
        pooled_BD = tokens_BTD.masked_fill(padding_BT1, -torch.inf).amax(dim=1)
    else:
        places = mask_BT.int()
        if how == "first":
            place_B = places.argmax(dim=1)
        else:
            place_B = mask_BT.shape[1] - 1 - places.flip(1).argmax(dim=1)
        rows = torch.arange(tokens_BTD.shape[0], device=tokens_BTD.device)
        pooled_BD = tokens_BTD[rows, place_B]
    return pooled_BD.masked_fill(~mask_BT.any(dim=1, keepdim=True), 0)
