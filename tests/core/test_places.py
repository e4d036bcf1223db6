"""Places of bytes: names outside the data, stamps, limits, and the way to other processes."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from weft.core.errors import WeftError
from weft.core.places import FilePlace, Made, Memory


@pytest.mark.parametrize(
    ("name", "outside"),
    [
        ("a.png", False),
        ("x/../a.png", False),
        ("../data/a.png", False),
        ("{folder}/a.png", False),
        ("../a.png", True),
        ("../database/a.png", True),
        ("/etc/passwd", True),
        ("x/../../a.png", True),
    ],
)
def test_names_that_lead_out_of_the_data(tmp_path: Path, name: str, outside: bool) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    path = folder / name.format(folder=folder)
    assert FilePlace(path, folder).outside == outside
    assert not FilePlace(path).outside
    (tmp_path / "link").symlink_to(folder)
    assert not FilePlace(folder / "a.png", tmp_path / "link").outside


def test_stamps_change_with_the_content(tmp_path: Path) -> None:
    path, copy = tmp_path / "a.png", tmp_path / "copy" / "a.png"
    copy.parent.mkdir()
    for file in (path, copy):
        file.write_bytes(b"bytes")
    place = FilePlace(path)
    before = place.stamp(times=True)
    assert place.stamp(times=False) == FilePlace(copy).stamp(times=False)
    assert before != FilePlace(copy).stamp(times=True)
    os.utime(path, ns=(1, 1))
    assert place.stamp(times=True) != before
    path.write_bytes(b"longer bytes")
    assert place.stamp(times=False) != FilePlace(copy).stamp(times=False)
    assert Memory(b"x").stamp(times=True) != Memory(b"y").stamp(times=True)


def test_bytes_in_memory_have_a_limit_too() -> None:
    assert Memory(b"four").load(4) == b"four"
    with pytest.raises(WeftError, match="holds more than the limit of 3 bytes"):
        Memory(b"four").load(3)


def test_the_array_of_a_function_survives_a_way_through_another_process() -> None:
    """A function that was defined inside another cannot be pickled; the array can."""
    array = np.arange(6).reshape(2, 3)
    made = Made.of(lambda: array)
    found = pickle.loads(pickle.dumps(made))
    assert np.array_equal(found.load(1), array)
    assert found.stamp(times=True) == made.stamp(times=True)
