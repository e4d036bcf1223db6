"""Rows that lack a stream: they keep their place in the batch, marked by `present` or the mask."""

from collections.abc import Callable, Sequence
from typing import Any

import torch

from weft.core.records import Features, Field


def collate_present(
    items: Sequence[Any], collate: Callable[[Sequence[Any]], Field | Features]
) -> Field | Features | None:
    """Collates the items. An item that is None becomes a row of zeros that is not present.

    Returns None if all items are None: the batch then lacks the stream.
    """
    places = [row for row, item in enumerate(items) if item is not None]
    if not places:
        return None
    found = collate([items[row] for row in places])
    if len(places) == len(items):
        return found
    return found.spread(torch.tensor(places), len(items))
