"""Rows that lack a stream: their place in the batch stays, and `present` or the mask says so."""

from collections.abc import Callable, Sequence
from typing import Any

import torch

from weft.core.records import Features, Field


def collate_present(
    items: Sequence[Any], collate: Callable[[Sequence[Any]], Field | Features]
) -> Field | Features | None:
    """`collate` of the items; an item that is None becomes a row of zeros that is not present.

    None where there is no item at all: the batch then lacks the stream.
    """
    places = [row for row, item in enumerate(items) if item is not None]
    if not places:
        return None
    found = collate([items[row] for row in places])
    if len(places) == len(items):
        return found
    return found.spread(torch.tensor(places), len(items))
