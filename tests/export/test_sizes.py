"""The sizes that OpenVINO is given: few, and what stands behind changes nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.export._onnx_file import PLACES, ROWS, of_few_sizes

rows, lengths, most = st.integers(1, 300), st.integers(1, 100), st.integers(0, 100)


@given(rows, lengths, most)
def test_zeros_stand_behind(rows: int, length: int, longest: int) -> None:
    values = np.ones((rows, length), np.int64)
    found = of_few_sizes({"values": values, "mask": values.astype(bool)}, longest)
    assert {array.shape for array in found.values()} == {found["mask"].shape}
    assert (found["values"][:rows, :length] == 1).all()
    assert found["values"].sum() == found["mask"].sum() == rows * length
    assert found["mask"].dtype == bool
    more, places = found["mask"].shape
    assert more in ROWS or more % ROWS[-1] == 0
    assert rows <= more <= max(rows * 4 / 3, rows + ROWS[-1] - 1)
    assert places == length or places <= longest
    assert places - length < PLACES


@pytest.mark.parametrize(
    ("length", "longest", "expected"), [(9, 64, 16), (9, 12, 12), (9, 0, 9), (64, 64, 64)]
)
def test_no_more_places_than_the_model_has(length: int, longest: int, expected: int) -> None:
    values = np.ones((2, length), np.int64)
    assert of_few_sizes({"values": values, "mask": values}, longest)["mask"].shape == (2, expected)


def test_pixels_get_rows_alone() -> None:
    assert of_few_sizes({"values": np.ones((5, 9, 9, 3))}, 64)["values"].shape == (6, 9, 9, 3)
