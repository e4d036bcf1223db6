"""Histograms lose nobody; their edges are round numbers."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from weft.core import histogram

finite = st.floats(-1e9, 1e9, allow_nan=False).map(lambda value: round(value, 6))


@given(st.lists(st.one_of(st.integers(0, 500), finite), min_size=1), st.integers(1, 60))
def test_binning_loses_nobody(values: list[float], bins: int) -> None:
    counts, edges = histogram.bin_values({"a": values}, bins)
    assert sum(counts["a"]) == len(values)
    assert len(edges) == len(counts["a"]) + 1
    assert all(low < high for low, high in itertools.pairwise(edges))
    assert len(counts["a"]) <= 4 * bins + 4


def test_one_giant_does_not_flatten_the_rest() -> None:
    counts, edges = histogram.bin_values({"a": [*range(1000), 10**9]})
    assert edges[-1] < 2000
    assert sum(counts["a"]) == 1001


@given(finite, st.floats(1e-6, 1e9), st.integers(2, 10))
def test_ticks_are_few_increasing_and_within(low: float, width: float, count: int) -> None:
    high = low + width
    if not high > low + abs(low) * 1e-9:
        return
    marks = histogram.round_numbers(low, high, count)
    assert len(marks) <= 2.5 * count + 1
    slack = 1e-6 * width + 1e-11 * abs(low)
    assert all(low - slack <= mark <= high + slack for mark in marks)
    assert list(marks) == sorted(set(marks))


@given(st.integers(-500, 500) | finite, st.integers(1, 9))
def test_equal_values_are_the_centre_of_one_bin(value: float, count: int) -> None:
    counts, (low, high) = histogram.bin_values({"a": [value] * count})
    assert counts == {"a": [count]}
    assert abs((low + high) / 2 - value) < 1e-6


def test_a_few_others_are_not_hidden_by_many_equal_values() -> None:
    counts, edges = histogram.bin_values({"a": [224] * 999 + [640]})
    assert len(edges) > 2
    assert (counts["a"][0], counts["a"][-1]) == (999, 1)
