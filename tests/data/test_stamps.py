"""A stamp changes with the rows and with nothing else."""

import dataclasses
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from weft.core.media import Media
from weft.core.samples import Sample
from weft.data.stamps import stamp


def rows(folder: Path) -> list[Sample]:
    (folder / "a.bin").write_bytes(b"one")
    values: list[dict[str, Any]] = [
        {"image": Media.file(folder / "a.bin"), "text": ["a", "b"], "label": 3},
        {
            "image": Media.encoded(b"bytes", "image"),
            "text": "a",
            "boxes": np.zeros((2, 4), np.float32),
        },
        {"image": Media.file(folder / "missing.bin"), "text": "\ud800"},
    ]
    return [Sample(f"row{n}", "group", items, f"x:{n}") for n, items in enumerate(values)]


def of(some: list[Sample], **options: Any) -> str:
    return stamp(some, range(len(some)), **options)


@pytest.mark.parametrize(
    ("row", "change"),
    [
        (0, {"text": ["ab"]}),
        (0, {"text": ["a", "c"]}),
        (0, {"label": "3"}),
        (1, {"image": Media.encoded(b"byte", "image")}),
        (1, {"boxes": np.zeros((4, 2), np.float32)}),
        (1, {"boxes": np.ones((2, 4), np.float32)}),
        (1, {"boxes": np.zeros((2, 4), np.float64)}),
        (2, {"other": None}),
    ],
)
def test_any_value_counts(tmp_path: Path, row: int, change: dict[str, Any]) -> None:
    some = rows(tmp_path)
    first = of(some)
    assert of(rows(tmp_path), times=False) == of(some, times=False)
    some[row] = dataclasses.replace(some[row], items={**some[row].items, **change})
    assert of(some) != first
    unchanged = [name for name in ("image", "text", "label", "boxes") if name not in change]
    others = of(rows(tmp_path), columns=unchanged, times=False)
    assert of(some, columns=unchanged, times=False) == others


def test_ids_groups_and_order_count(tmp_path: Path) -> None:
    some = rows(tmp_path)
    assert of(some) != of(some[::-1])
    assert of(some) != of([dataclasses.replace(some[0], id="other"), *some[1:]])
    assert of(some) != of([dataclasses.replace(some[0], group="other"), *some[1:]])


def test_files_by_their_times_or_by_name_and_size(tmp_path: Path) -> None:
    some = rows(tmp_path)
    with_times, without = of(some), of(some, times=False)
    copy = tmp_path / "copy"
    copy.mkdir()
    shutil.copy2(tmp_path / "a.bin", copy / "a.bin")
    image = Media.file(copy / "a.bin")
    moved = [dataclasses.replace(some[0], items={**some[0].items, "image": image})]
    assert of([*moved, *some[1:]]) != with_times
    assert of([*moved, *some[1:]], times=False) == without
    time = (tmp_path / "a.bin").stat().st_mtime_ns
    (tmp_path / "a.bin").write_bytes(b"two")
    os.utime(tmp_path / "a.bin", ns=(time, time))
    assert of(some) != with_times
    (tmp_path / "a.bin").write_bytes(b"three")
    assert of(some, times=False) != without
