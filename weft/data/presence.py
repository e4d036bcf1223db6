"""Rows that lack a stream: their place in the batch stays, and `present` or the mask says so."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from weft.core.records import Features, Field


def collate_present(
    items: Sequence[Any], collate: Callable[[Sequence[Any]], Field | Features]
) -> Field | Features | None:
    """`collate` of the items; an item that is None becomes a row of zeros that is not present.

    Features say so by a mask that is all False, a Field by `present` as well. None where there is
    no item at all: the batch then lacks the stream.
    """
    places = [row for row, item in enumerate(items) if item is not None]
    if not places:
        return None
    found = collate([items[row] for row in places])
    if len(places) == len(items):
        return found
    index = torch.tensor(places)

    def spread(values: Tensor) -> Tensor:
        whole = values.new_zeros(len(items), *values.shape[1:])
        return whole.index_copy(0, index, values)

    if isinstance(found, Features):
        return Features(spread(found.tokens), spread(found.mask), spread(found.pooled))
    there = torch.ones(len(places), dtype=torch.bool) if found.present is None else found.present
    mask = None if found.mask is None else spread(found.mask)
    return Field(spread(found.values), mask, spread(there))


def absent_like(example: Field | Features, rows: int) -> Field | Features:
    """`rows` rows that all lack the stream, of the shape of the example's rows."""

    def zeros(values: Tensor) -> Tensor:
        return values.new_zeros(rows, *values.shape[1:])

    if isinstance(example, Features):
        return Features(zeros(example.tokens), zeros(example.mask), zeros(example.pooled))
    mask = None if example.mask is None else zeros(example.mask)
    return Field(zeros(example.values), mask, torch.zeros(rows, dtype=torch.bool))
