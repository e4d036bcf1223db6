"""Occlusion: the relevance of a part of the input is the drop of the score without it. Works for any model.

For pictures this is Zeiler & Fergus 2014, arXiv:1311.2901, section 4.2. For token ids a token is left out,
which packing makes exact: the model reads the shorter text. The modality defines the parts.
"""

import torch
from torch import Tensor

from weft.core.errors import WeftError
from weft.core.records import Batch, Features, Field
from weft.explain.decision import Decision
from weft.heads.output import Values

ROUNDING = 1e-6
"""A smaller drop, as a share of the score, counts as a rounding error."""


@torch.no_grad()
def occlusion(
    decision: Decision, batch: Batch, stream: str, said: Values, most: int = 64
) -> Tensor:
    """(B, P): drop of the score of the answer `said` without each part; 0 if the score does not drop.

    most: number of altered rows that the model computes at once. Raises WeftError for a stream without
    parts, and for one whose features were cached.
    """
    may_go_BP = removable(decision, batch, stream)
    field, whole = raw_field(batch, stream), decision.encode(batch)
    whole_B = decision.scores(whole, said).values
    falls_BP = torch.zeros(may_go_BP.shape, device=whole_B.device)
    every = may_go_BP.nonzero()
    for start in range(0, len(every), most):
        rows, parts = every[start : start + most].unbind(1)
        gone = torch.zeros(len(rows), may_go_BP.shape[1], dtype=torch.bool, device=rows.device)
        gone[torch.arange(len(rows)), parts] = True
        altered = decision.parts(stream).without(field.take(rows), gone)
        # The other streams do not change, so they were encoded once, before the loop.
        left = {
            s: decision.model.encode(s, altered) if s == stream else f.take(rows)
            for s, f in whole.items()
        }
        left_R = decision.scores(left, said.take(rows.tolist())).values
        falls_R = whole_B[rows] - left_R
        # Batches of different sizes may sum in a different order; such small drops are rounding errors.
        falls_BP[rows, parts] = falls_R.where(falls_R > ROUNDING * whole_B[rows].abs(), 0)
    return falls_BP


def without_parts(decision: Decision, batch: Batch, stream: str, gone_BP: Tensor) -> Batch:
    """Returns the batch without the parts of the stream that are True in gone_BP."""
    field = decision.parts(stream).without(raw_field(batch, stream), gone_BP)
    return batch.with_inputs(**{stream: field})


def removable(decision: Decision, batch: Batch, stream: str) -> Tensor:
    """(B, P) True where a part can be removed. Raises WeftError for a stream without parts."""
    field = raw_field(batch, stream)
    try:
        return decision.parts(stream).parts(field)
    except WeftError as error:
        raise WeftError(f"stream '{stream}': {error}") from error


def raw_field(batch: Batch, stream: str) -> Field:
    """Returns the stream's raw input. Raises WeftError if its features were cached or the batch lacks it."""
    value = batch.inputs.get(stream)
    if not isinstance(value, Field):
        what = "cached features" if isinstance(value, Features) else "nothing"
        raise WeftError(
            f"stream '{stream}' is {what}, expected raw input: no part of it can be removed"
        )
    return value
