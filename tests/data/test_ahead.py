"""What is loaded ahead is in order and bounded in bytes."""

import threading
import time
from typing import Any

import numpy as np
import pytest
import torch

from weft.data import ahead
from weft.data.ahead import batches, bytes_of, loaded_ahead, windows


def test_sizes() -> None:
    array = np.zeros(10, np.float32)
    assert bytes_of({"a": torch.zeros(3), "b": [array, "four", b"x"], "c": None}) == 12 + 45 + 8


@pytest.mark.parametrize("workers", [0, 1, 3])
@pytest.mark.parametrize("most", [1, 5, 1000])
def test_in_order_and_each_once(workers: int, most: int) -> None:
    loaded: list[int] = []

    def load(number: int) -> int:
        loaded.append(number)
        return number * number

    found = list(loaded_ahead(load, range(50), workers=workers, most=most))
    assert found == [(n, n * n) for n in range(50)]
    assert sorted(loaded) == list(range(50))


def held(most: int, size: int, monkeypatch: pytest.MonkeyPatch) -> int:
    """The most values that were loaded and not yet asked for, of `size` bytes each."""
    monkeypatch.setattr(ahead, "AHEAD_BYTES", 100_000)
    lock, waiting, worst = threading.Lock(), 0, 0

    def load(_: int) -> Any:
        nonlocal waiting, worst
        with lock:
            waiting += 1
            worst = max(worst, waiting)
        return np.zeros(size, np.uint8)

    for _ in loaded_ahead(load, range(60), workers=4, most=most):
        time.sleep(0.002)
        with lock:
            waiting -= 1
    return worst


def test_large_values_are_few_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    assert held(40, 20_000, monkeypatch) <= 100_000 // 20_000 + 2
    assert held(40, 10**6, monkeypatch) <= 6  # the first ones start before any size is known
    assert 20 <= held(40, 10, monkeypatch) <= 42


def test_windows_close_at_their_count_or_their_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "AHEAD_BYTES", 1000)
    small = [(n, np.zeros(10, np.uint8)) for n in range(7)]
    large = [(n, np.zeros(400, np.uint8)) for n in range(7)]
    assert [len(part) for part in windows(small, most=lambda _: 3)] == [3, 3, 1]
    assert [len(part) for part in windows(large, most=lambda _: 100)] == [3, 3, 1]
    assert list(windows([], most=lambda _: 3)) == []


def test_batches_close_at_their_count_or_their_padded_bytes() -> None:
    def sizes(lengths: list[int], most: int) -> list[list[int]]:
        pairs = [(n, np.zeros(length, np.uint8)) for n, length in enumerate(lengths)]
        found = list(batches(pairs, most=most, most_bytes=1000))
        assert [n for part in found for n, _ in part] == list(range(len(lengths)))
        return [[len(value) for _, value in part] for part in found]

    assert sizes([10] * 7, 3) == [[10] * 3, [10] * 3, [10]]
    assert sizes([400] * 5, 100) == [[400, 400], [400, 400], [400]]
    assert sizes([100, 100, 500, 100], 100) == [[100, 100], [500, 100]]  # padded: 3 x 500
    assert sizes([5000] * 4, 100) == [[5000] * 2] * 2  # never one alone that could have company
    assert sizes([5000] * 2, 1) == [[5000]] * 2
    assert sizes([], 3) == []


def test_an_error_of_one_ends_the_work() -> None:
    def load(number: int) -> int:
        if number == 7:
            raise ValueError("seven")
        return number

    loaded = loaded_ahead(load, range(1000), workers=2, most=4)
    assert [next(loaded)[0] for _ in range(7)] == list(range(7))
    with pytest.raises(ValueError, match="seven"):
        next(loaded)
