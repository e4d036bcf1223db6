"""The rows that an objective learns from, if it uses only a share of a batch."""

import torch

from weft.core.distributed import rows_before
from weft.core.records import Batch


def teaching_rows(batch: Batch, share: float) -> torch.Tensor:
    """(R,) the rows of this rank that are among an evenly spaced `share` of the whole batch.

    They depend only on a row's position in the batch of all ranks. A rank may have none.
    """
    device = batch.groups.device
    places_B = torch.arange(len(batch), device=device) + rows_before(len(batch), device)
    # The first row is always one of them, so that a small batch teaches too.
    taught_B = torch.ceil(places_B * share) < torch.ceil((places_B + 1) * share)
    return taught_B.nonzero()[:, 0]
