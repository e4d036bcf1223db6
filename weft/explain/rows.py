"""Rows of a data set as one batch of raw inputs, the material of an explanation."""

from collections.abc import Sequence

import torch

from weft.core.records import Batch, Features, Field, group_key
from weft.data.formats import Dataset
from weft.inference.member import Member


def batch_of(
    member: Member, dataset: Dataset, rows: Sequence[int], device: torch.device | str = "cpu"
) -> Batch:
    """View 0 of the streams of these rows that the model has encoders for.

    member: with raw sources, since parts of cached features cannot be taken away. Raises DataError
    for a row that cannot be read.
    """
    generator = torch.Generator()
    inputs: dict[str, Field | Features] = {}
    for stream, source in member.sources.items():
        if stream in member.model.encoders:
            items = [source.load(row, train=False, generator=generator, view=0) for row in rows]
            collated = source.collate(items)
            if not isinstance(collated, Field | Features):
                raise ValueError(f"stream '{stream}' gave a {type(collated).__name__}")
            inputs[stream] = collated
    samples = [dataset[row] for row in rows]
    groups = torch.tensor([group_key(sample.group) for sample in samples], dtype=torch.int64)
    return Batch(inputs, ids=[sample.id for sample in samples], groups=groups).to(device)
