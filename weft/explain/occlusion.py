"""What a decision rests on, by taking parts of the input away: for any model.

Zeiler & Fergus 2014, arXiv:1311.2901, section 4.2, for pictures; for token ids a token is left out, which
packing makes exact: the model sees the shorter text. What the parts are, the modality says.
"""

import torch
from torch import Tensor

from weft.core.errors import WeftError
from weft.core.records import Batch, Features, Field
from weft.explain.decision import Decision
from weft.heads.output import Values

ROUNDING = 1e-6
"""Share of a score up to which a fall is rounding."""


@torch.no_grad()
def occlusion(
    decision: Decision, batch: Batch, stream: str, said: Values, most: int = 64
) -> Tensor:
    """(B, P): by how much the score of what was said falls without each part, if it falls.

    most: rows of altered inputs that the model sees at once. Raises WeftError for a stream without parts,
    and for one whose features were cached.
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
        # The other streams stay as they are, so they are encoded once.
        left = {
            s: decision.model.encode(s, altered) if s == stream else f.take(rows)
            for s, f in whole.items()
        }
        left_R = decision.scores(left, said.take(rows.tolist())).values
        falls_R = whole_B[rows] - left_R
        # Batches of another size are summed in another order: so small a fall is none.
        falls_BP[rows, parts] = falls_R.where(falls_R > ROUNDING * whole_B[rows].abs(), 0)
    return falls_BP


def without_parts(decision: Decision, batch: Batch, stream: str, gone_BP: Tensor) -> Batch:
    """The batch without those parts of the stream."""
    field = decision.parts(stream).without(raw_field(batch, stream), gone_BP)
    return batch.with_inputs(**{stream: field})


def removable(decision: Decision, batch: Batch, stream: str) -> Tensor:
    """(B, P) True where a part can be taken away. Raises WeftError for a stream without parts."""
    field = raw_field(batch, stream)
    try:
        return decision.parts(stream).parts(field)
    except WeftError as error:
        raise WeftError(f"stream '{stream}': {error}") from error


def raw_field(batch: Batch, stream: str) -> Field:
    """The stream before any encoder. Raises WeftError where it was cached or is not there."""
    value = batch.inputs.get(stream)
    if not isinstance(value, Field):
        what = "cached features" if isinstance(value, Features) else "nothing"
        raise WeftError(
            f"stream '{stream}' is {what}, expected raw input: nothing can be taken away"
        )
    return value
