"""What a decision rests on, by taking parts of the input away: for any model.

Zeiler & Fergus 2014, arXiv:1311.2901, section 4.2, for pictures; for token ids a token is left out, which
packing makes exact: the model sees the shorter text.
"""

import torch
from torch import Tensor

from weft.core.errors import WeftError
from weft.core.records import Batch, Features, Field
from weft.explain.decision import Subject, chosen, scores

LARGEST_GRID = 8
"""Cells along each side of a picture."""


def grid_of(field: Field) -> tuple[int, int]:
    """Rows and columns of the cells of pictures (B, C, H, W)."""
    height, width = field.values.shape[2:]
    longest = max(height, width)
    return (
        max(1, round(LARGEST_GRID * height / longest)),
        max(1, round(LARGEST_GRID * width / longest)),
    )


def without_parts(field: Field, gone_BT: Tensor) -> Field:
    """The stream without the parts that are marked: cells in the picture's mean colour, or no tokens."""
    if field.values.ndim == 4:
        rows, columns = grid_of(field)
        height, width = field.values.shape[2:]
        gone = gone_BT.view(-1, 1, rows, columns).float()
        gone_B1HW = torch.nn.functional.interpolate(
            gone, size=(height, width), mode="nearest"
        ).bool()
        mean = field.values.float().mean(dim=(2, 3), keepdim=True).to(field.values.dtype)
        return Field(torch.where(gone_B1HW, mean, field.values), field.mask, field.present)
    mask_BT = torch.ones_like(gone_BT) if field.mask is None else field.mask
    return Field(field.values, mask_BT & ~gone_BT, field.present)


@torch.no_grad()
def occlusion(subject: Subject, batch: Batch, stream: str, most: int = 64) -> Tensor:
    """(B, T): by how much the score of the chosen output falls without each part, if it falls.

    The parts are the cells of a picture, row by row, or the tokens of a text. most: rows of altered
    inputs that the model sees at once. Raises WeftError for streams whose features were cached.
    """
    may_go_BT = removable(subject, batch, stream)
    logits_BV = subject.logits(batch)
    chosen_B = chosen(logits_BV)
    whole_B = scores(logits_BV, chosen_B)
    falls_BT = torch.zeros(may_go_BT.shape, device=logits_BV.device)
    every = may_go_BT.nonzero()
    for start in range(0, len(every), most):
        rows, parts = every[start : start + most].unbind(1)
        gone = torch.zeros(len(rows), may_go_BT.shape[1], dtype=torch.bool, device=rows.device)
        gone[torch.arange(len(rows)), parts] = True
        altered = batch.take(rows)
        altered = altered.with_inputs(**{stream: without_parts(raw_field(altered, stream), gone)})
        left_R = scores(subject.logits(altered), chosen_B[rows])
        falls_BT[rows, parts] = (whole_B[rows] - left_R).clamp_min(0)
    return falls_BT


def removable(subject: Subject, batch: Batch, stream: str) -> Tensor:
    """(B, T) True where a part can be taken away: cells of a picture, real tokens but special ones.

    Raises WeftError for a stream without parts.
    """
    field = raw_field(batch, stream)
    if field.values.ndim == 4:
        rows, columns = grid_of(field)
        shape = (len(field), rows * columns)
        return torch.ones(shape, dtype=torch.bool, device=field.values.device)
    if field.values.ndim not in (2, 3):
        raise WeftError(
            f"stream '{stream}' of shape {tuple(field.values.shape)} has no parts that could be taken "
            "away, expected pictures (B, C, H, W) or tokens (B, T) or (B, T, D)"
        )
    real_BT = torch.ones(field.values.shape[:2], dtype=torch.bool, device=field.values.device)
    if field.mask is not None:
        real_BT = field.mask
    fixed = torch.tensor(subject.fixed_ids.get(stream, ()), device=field.values.device)
    return real_BT & ~torch.isin(field.values, fixed) if field.values.ndim == 2 else real_BT


def raw_field(batch: Batch, stream: str) -> Field:
    """The stream before any encoder. Raises WeftError where it was cached or is not there."""
    value = batch.inputs.get(stream)
    if not isinstance(value, Field):
        what = "cached features" if isinstance(value, Features) else "nothing"
        raise WeftError(
            f"stream '{stream}' is {what}, expected raw input: nothing can be taken away"
        )
    return value
