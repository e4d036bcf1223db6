"""Reads rows as batches, once for all models."""

import sys
from collections.abc import Sequence

import torch

from weft.core.records import Batch
from weft.core.samples import Sample
from weft.inference.config import InferenceConfig
from weft.inference.rows import Reading, read_rows


def as_batches(
    readings: Sequence[Reading], rows: Sequence[Sample], device: torch.device
) -> list[Batch]:
    """Returns all rows in one batch, as each reading reads them."""
    config = InferenceConfig(batch_size=max(1, len(rows)), batch_bytes=sys.maxsize, workers=0)
    return list(next(read_rows(readings, rows, config, device=device)).batches)
