"""Groups the rows of a batch by the streams that they have. So rows are explained without their absent streams."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch

from weft.core.records import Batch, Features, Field


def by_presence(seen: Sequence[Batch]) -> Iterator[tuple[list[int], list[Batch]]]:
    """Yields for each set of streams the indices of the rows that have it, and these rows with only these streams.

    seen: the same rows, as several models or views read them.
    """
    streams = [_streams(batch) for batch in seen]
    rows: dict[tuple[tuple[str, ...], ...], list[int]] = {}
    for row, had in enumerate(zip(*streams, strict=True)):
        rows.setdefault(had, []).append(row)
    for had, numbers in rows.items():
        index = torch.tensor(numbers, device=seen[0].groups.device)
        yield (
            numbers,
            [_only(batch.take(index), some) for batch, some in zip(seen, had, strict=True)],
        )


def _streams(batch: Batch) -> list[tuple[str, ...]]:
    """The streams that each row has."""
    every = [True] * len(batch)
    found = {stream: batch.present([stream]) for stream in batch.inputs}
    there = {s: every if present is None else present.tolist() for s, present in found.items()}
    return [tuple(s for s in there if there[s][row]) for row in range(len(batch))]


def _only(batch: Batch, streams: tuple[str, ...]) -> Batch:
    """Keeps only these streams, which all rows have."""
    inputs: dict[str, Field | Features] = {}
    for stream in streams:
        value = batch.inputs[stream]
        inputs[stream] = replace(value, present=None) if isinstance(value, Field) else value
    return replace(batch, inputs=inputs)
