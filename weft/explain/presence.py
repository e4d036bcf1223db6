"""Rows of a batch by what they have, so that each is explained as a row without the streams it lacks."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch

from weft.core.records import Batch, Features, Field


def by_presence(seen: Sequence[Batch]) -> Iterator[tuple[list[int], list[Batch]]]:
    """Numbers of the rows that have the same streams, and those rows without the streams they lack.

    seen: the same rows, as several models or views see them.
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
    """These streams, which all rows have."""
    inputs: dict[str, Field | Features] = {}
    for stream in streams:
        value = batch.inputs[stream]
        inputs[stream] = replace(value, present=None) if isinstance(value, Field) else value
    return replace(batch, inputs=inputs)
