"""Loads values ahead in threads, within a limit of bytes."""

import collections
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
from torch import Tensor

AHEAD_BYTES = 128 << 20
"""Approximate limit of the bytes that are loaded ahead. A single value may exceed it."""
LEAST = 2
"""Minimum number of rows in a batch, however large they are: some baselines give a row the stream of another row."""

Key = TypeVar("Key")


def bytes_of(value: Any) -> int:
    """Estimates the memory of a loaded value, in bytes."""
    if isinstance(value, Tensor):
        return value.numel() * value.element_size()
    if isinstance(value, np.ndarray):
        return value.nbytes
    if isinstance(value, str | bytes):
        return len(value)
    if isinstance(value, Mapping):
        return sum(map(bytes_of, value.values()))
    if isinstance(value, list | tuple):
        return sum(map(bytes_of, value))
    return 8


def loaded_ahead(
    load: Callable[[Key], Any], keys: Iterable[Key], *, workers: int, most: int
) -> Iterator[tuple[Key, Any]]:
    """Yields (key, load(key)) in order, loaded by `workers` threads; 0 loads in the caller's thread.

    At most `most` keys are loaded ahead, and about AHEAD_BYTES, judged by the size of the latest value.
    """
    if workers == 0:
        yield from ((key, load(key)) for key in keys)
        return
    pool = ThreadPoolExecutor(workers, thread_name_prefix="weft-ahead")
    pending: collections.deque[tuple[Key, Future[Any]]] = collections.deque()
    ahead, allowed = iter(keys), min(workers, most)
    try:
        while True:
            while len(pending) <= allowed:
                try:
                    key = next(ahead)
                except StopIteration:
                    break
                pending.append((key, pool.submit(load, key)))
            if not pending:
                return
            first, future = pending.popleft()
            value = future.result()
            yield first, value
            allowed = max(1, min(most, AHEAD_BYTES // max(1, bytes_of(value))))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def windows(
    pairs: Iterable[tuple[Key, Any]], *, most: Callable[[Any], int]
) -> Iterator[list[tuple[Key, Any]]]:
    """Groups the pairs into parts of at most `most(value)`. A part ends earlier once it holds AHEAD_BYTES."""
    part: list[tuple[Key, Any]] = []
    size = 0
    for pair in pairs:
        part.append(pair)
        size += bytes_of(pair[1])
        if len(part) >= most(pair[1]) or size >= AHEAD_BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part


def batches(
    pairs: Iterable[tuple[Key, Any]], *, most: int, most_bytes: int
) -> Iterator[list[tuple[Key, Any]]]:
    """Groups the pairs into parts of at most `most`. A part with LEAST pairs or more ends earlier if its values,
    padded to the largest, would exceed `most_bytes`."""
    part: list[tuple[Key, Any]] = []
    largest = 0
    for pair in pairs:
        size = bytes_of(pair[1])
        large = len(part) >= LEAST and (len(part) + 1) * max(largest, size) > most_bytes
        if large or len(part) == most:
            yield part
            part, largest = [], 0
        part.append(pair)
        largest = max(largest, size)
    if part:
        yield part
