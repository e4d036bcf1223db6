"""Rows of a batch by what they have, so that each is explained as a row without the streams it lacks."""

from collections.abc import Iterator
from dataclasses import replace

import torch

from weft.core.records import Batch, Features, Field


def by_presence(batch: Batch) -> Iterator[tuple[list[int], Batch]]:
    """Numbers of the rows that have the same streams, and those rows without the streams they lack."""
    every = [True] * len(batch)
    found = {stream: batch.present([stream]) for stream in batch.inputs}
    there = {s: every if present is None else present.tolist() for s, present in found.items()}
    rows: dict[tuple[str, ...], list[int]] = {}
    for row in range(len(batch)):
        rows.setdefault(tuple(s for s in there if there[s][row]), []).append(row)
    for streams, numbers in rows.items():
        part = batch.take(torch.tensor(numbers, device=batch.groups.device))
        yield numbers, _only(part, streams)


def _only(batch: Batch, streams: tuple[str, ...]) -> Batch:
    """These streams, which all rows have."""
    inputs: dict[str, Field | Features] = {}
    for stream in streams:
        value = batch.inputs[stream]
        inputs[stream] = replace(value, present=None) if isinstance(value, Field) else value
    return replace(batch, inputs=inputs)
