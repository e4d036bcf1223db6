"""Values of a stream, from the run's validation split, to measure and calibrate an export."""

from dataclasses import dataclass, replace
from itertools import islice, pairwise

import torch
from torch import Tensor

from weft.core.errors import DataError, WeftError
from weft.core.interfaces import Modality
from weft.core.records import Field
from weft.export._made_up import made_up
from weft.runs.parts import open_split
from weft.runs.run import Run

MADE_UP = 16
BATCHES = (1, 2, 3, 5, 8, 13)
"""Batch sizes of a measurement, in turn; a graph is traced with `TRACED` rows."""
TRACED = 4


@dataclass(frozen=True)
class Values:
    """items: outputs of the modality's `transform`. real: from the run's own rows; False: generated."""

    modality: Modality
    items: list[Tensor]
    real: bool

    def split(self, count: int) -> tuple["Values", "Values"]:
        """The values without `count` items, and these items: evenly spaced, at most half of all."""
        count = min(count, len(self.items) // 2)
        taken = {place * len(self.items) // count for place in range(count)} if count else set()
        parts: tuple[list[Tensor], list[Tensor]] = ([], [])
        for place, item in enumerate(self.items):
            parts[place in taken].append(item)
        first, second = (replace(self, items=items) for items in parts)
        return first, second

    def fields(self) -> list[Field]:
        """The values in batches with the sizes of `BATCHES`."""
        ends = [0]
        while ends[-1] < len(self.items):
            size = BATCHES[(len(ends) - 1) % len(BATCHES)]
            ends.append(min(ends[-1] + size, len(self.items)))
        return [self.modality.collate(self.items[a:b]) for a, b in pairwise(ends)]

    def batches(self, rows: int) -> list[Field]:
        """The values in batches of `rows` rows."""
        starts = range(0, len(self.items), rows)
        return [self.modality.collate(self.items[start : start + rows]) for start in starts]

    def traced(self) -> Field:
        """The batch with which a graph is traced."""
        items = [self.items[place % len(self.items)] for place in range(TRACED)]
        return self.modality.collate(items)


def values_of(run: Run, stream: str, count: int) -> Values:
    """The first views of `count` evenly spaced rows of the validation split, or of fewer if it has fewer.

    Rows that cannot be read are skipped. If the run's rows are not available, pictures and texts are generated;
    raises WeftError for other streams.
    """
    modality = run.modalities[stream]
    try:
        items = _read(run, stream, count)
    except (WeftError, OSError) as error:
        items, reason = [], str(error)
    else:
        reason = "none of its validation rows has one that can be read"
    if items:
        return Values(modality, items, real=True)
    made = made_up(modality, MADE_UP)
    if not made:
        raise WeftError(
            f"{run.folder}: no values of stream '{stream}' to try the tower on: {reason}"
        )
    field = run.read(**{stream: made}).inputs[stream]
    assert isinstance(field, Field)
    rows = [
        field.values[n] if field.mask is None else field.values[n][field.mask[n]]
        for n in range(len(field))
    ]
    return Values(modality, [row.cpu() for row in islice(rows, count)], real=False)


def _read(run: Run, stream: str, count: int) -> list[Tensor]:
    dataset = open_split(run.recipe, run.recipe.data.validation)
    source = run.reading(dataset).sources[stream]
    step = max(1, len(dataset) // count)
    items: list[Tensor] = []
    for place, row in enumerate(range(0, len(dataset), step)):
        try:
            view = place % max(1, source.views(row))
            item = source.load(row, train=False, generator=torch.Generator(), view=view)
        except DataError:
            continue
        items += [] if item is None else [item]
        if len(items) == count:
            break
    return items
