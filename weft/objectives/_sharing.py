"""Rows that teach, where not all of a batch do."""

import torch

from weft.core.distributed import rows_before
from weft.core.records import Batch


def teaching_rows(batch: Batch, share: float) -> torch.Tensor:
    """(R,) the rows of this rank that are among a `share` of the whole batch, evenly spread over it.

    Which ones depends on a row's place in the batch of all ranks alone. A rank may hold none.
    """
    device = batch.groups.device
    places_B = torch.arange(len(batch), device=device) + rows_before(len(batch), device)
    # The first row is always one of them, so that a small batch teaches too.
    taught_B = torch.ceil(places_B * share) < torch.ceil((places_B + 1) * share)
    return taught_B.nonzero()[:, 0]
