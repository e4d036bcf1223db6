"""Tar shards that others made: any order of members, any names, links, damage and wrong indexes."""

import io
import json
import os
import struct
import tarfile
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from weft.core.arrays import decode_array
from weft.core.errors import DataError, WeftError
from weft.core.media import Media
from weft.data.columns import TargetSource
from weft.data.formats import _tar_index, open_dataset
from weft.data.targets.labels import LabelsConfig


def add(tar: tarfile.TarFile, name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.type = len(data), kind
    tar.addfile(info, io.BytesIO(data))


def picture(value: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (8, 8), (value, 0, 0)).save(out, "PNG")
    return out.getvalue()


def shard(folder: Path, members: list[tuple[str, bytes]], **options: Any) -> Path:
    path = folder / "train-000000.tar"
    with tarfile.open(path, "w", **options) as tar:
        for name, data in members:
            add(tar, name, data)
    return path


def read(path: Path) -> tuple[list[dict[str, Any]], list[str]]:
    errors: list[DataError] = []
    rows = [
        {
            name: value.read() if isinstance(value, Media) else value
            for name, value in sample.items.items()
            if name != "split"
        }
        for sample in open_dataset(path, on_error=errors.append)
    ]
    return rows, [str(error) for error in errors]


PAIRS = [{"image": picture(n), "text": f"t{n}"} for n in range(4)]


@given(order=st.permutations([(n, kind) for n in range(4) for kind in ("PNG", "Txt")]))
@settings(max_examples=25, deadline=None)
def test_members_lie_in_any_order_with_extensions_in_any_case(
    tmp_path_factory: pytest.TempPathFactory, order: list[tuple[int, str]]
) -> None:
    contents = {"PNG": "image", "Txt": "text"}
    values = [(f"{n}.{kind}", PAIRS[n][contents[kind]]) for n, kind in order]
    members = [(name, v if isinstance(v, bytes) else v.encode()) for name, v in values]
    rows, errors = read(shard(tmp_path_factory.mktemp("any"), members))
    assert errors == []
    assert sorted(rows, key=lambda row: row["text"]) == PAIRS


def test_an_archive_of_pictures_then_texts_that_is_cut_off(tmp_path: Path) -> None:
    """Samples whose text may lie behind the cut are not taken for samples without text."""
    members = [(f"{n}.png", picture(n)) for n in range(4)]
    path = shard(tmp_path, members + [(f"{n}.txt", b"t%d" % n) for n in range(4)])
    with tarfile.open(path) as tar:
        cut = tar.getmember("2.txt").offset + 700
    path.write_bytes(path.read_bytes()[:cut])
    rows, errors = read(path)
    assert rows == PAIRS[:2]
    assert len(errors) == 1
    assert "2.txt: the archive is cut off here" in errors[0]


def test_names_with_a_dot_within(tmp_path: Path) -> None:
    members = [
        (f"235 Track {n}.0.{kind}", data)
        for n in range(2)
        for kind, data in (("png", picture(n)), ("txt", b"t%d" % n))
    ]
    path = shard(tmp_path, members)
    assert read(path) == (PAIRS[:2], [])
    assert open_dataset(path)[1].id == "train-000000/235 Track 1.0"


def test_two_members_of_one_column_are_an_error(tmp_path: Path) -> None:
    members = [("a.png", picture(0)), ("a.jpg", picture(1)), ("b.png", picture(0))]
    rows, errors = read(shard(tmp_path, members))
    assert rows == [{"image": picture(0)}]
    assert errors[0].endswith(
        "train-000000.tar:a: its members 'png' and 'jpg' would both be the column 'image'"
    )


def test_the_json_of_a_sample_has_its_extension_in_any_case(tmp_path: Path) -> None:
    path = shard(
        tmp_path, [("a.txt", b"words"), ("a.JSON", b'{"id": "x", "split": "dev", "n": 1}')]
    )
    (sample,) = open_dataset(path)
    assert (sample.id, sample.items) == ("x", {"text": "words", "n": 1, "split": "validation"})


def test_links_pipes_and_names_that_are_not_text_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as tar:
        add(tar, "a.txt", b"words")
        add(tar, "b.png", kind=tarfile.SYMTYPE)
        add(tar, "c.png", kind=tarfile.LNKTYPE)
        add(tar, "d.png", kind=tarfile.FIFOTYPE)
        add(tar, "\udcff.png", picture(0))
        add(tar, "folder.png", kind=tarfile.DIRTYPE)
    rows, errors = read(path)
    assert rows == [{"text": "words"}]
    assert [error.partition("a.tar:")[2] for error in errors] == [
        "b.png: is a link, expected a file",
        "c.png: is a link, expected a file",
        "d.png: is a pipe or a device, expected a file",
        "?.png: its name is not UTF-8 text",
    ]


@pytest.mark.parametrize("format", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("length", [1, 300])
def test_a_wrong_index_gives_no_sample_the_picture_of_another(
    tmp_path: Path, format: int, length: int
) -> None:
    """Size and time of the shard fit the index. Long names lie in headers of their own."""
    key = "k" * length
    members = [
        (f"{key}{n}.{kind}", data)
        for n in range(2)
        for kind, data in (("png", picture(n)), ("txt", b"t%d" % n))
    ]
    path = shard(tmp_path, members, format=format)
    assert read(path) == (PAIRS[:2], [])
    assert read(path) == (PAIRS[:2], [])  # by the index
    index = _tar_index.scan(path)  # of another shard, as large and as old as this one
    first, second = (sample.members for sample in index.samples)
    first["png"], second["png"] = second["png"], first["png"]
    told = {**_tar_index._stamp(path), **_tar_index._sealed(index)}
    _tar_index.index_path(path).write_text(json.dumps(told))
    with pytest.raises(DataError, match=r"0.png: the index is of another shard than this"):
        open_dataset(path)[0].items["image"].read()


WRONG = [
    ("id", 1),
    ("id", {"a": 1}),
    ("id", "\ud800"),
    ("split", 1.5),
    ("split", ["train"]),
    ("key", None),
    ("members", []),
    ("members", {"txt": [0, 512]}),
    ("members", {"txt": [0, 512, 1e300]}),
    ("members", {"txt": [-512, 512, 5]}),
    ("members", {"txt": [0, 512, float("nan")]}),
    ("members", {"txt": [True, 512, 5]}),
    ("members", {"txt": "abc"}),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_an_index_with_a_wrong_value_is_made_anew(tmp_path: Path, name: str, value: object) -> None:
    path = shard(tmp_path, [("a.txt", b"words"), ("b.txt", b"more")])
    expected = read(path)
    index = _tar_index.index_path(path)
    kept = index.read_text()
    told = json.loads(kept)
    told["samples"][0][name] = value
    index.write_text(json.dumps(told))
    assert read(path) == expected
    assert index.read_text() == kept


def test_an_index_nested_too_deep_or_a_pipe_in_its_place(tmp_path: Path) -> None:
    path = shard(tmp_path, [("a.txt", b"words")])
    expected = read(path)
    index = _tar_index.index_path(path)
    index.write_text("[" * 100_000)
    assert read(path) == expected
    index.unlink()
    os.mkfifo(index)
    assert read(path) == expected


def test_a_pipe_in_the_place_of_a_shard(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.tar")
    with pytest.raises(WeftError, match=r"a.tar: cannot be read: is a named pipe, expected a file"):
        open_dataset(tmp_path / "a.tar")


def npy(head: str, content: bytes = b"") -> bytes:
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() + content


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1099511627776,), }\n"),
            "0 bytes, ex",
        ),
        (npy("{'descr': '<f8', 'fortran_order': False, 'shape': (" + "(" * 300 + ", }\n"), "no"),
        (npy("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }\n"), "expected -8"),
        (
            npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n", b"\x80\x04N."),
            "Python obj",
        ),
        (
            npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }\n", bytes(8)),
            "8 bytes, expe",
        ),
        (npy("{'descr': '<f8', 'fortran_order': False, 'shape': 'x', }\n"), "is not a .npy array"),
        (b"\x93NUMPY\x09\x00ab", "is not a .npy array"),
        (b"PK\x03\x04" + bytes(40), "does not begin with the mark"),
        (b"", "does not begin with the mark"),
    ],
)
def test_damaged_arrays_are_named(tmp_path: Path, data: bytes, message: str) -> None:
    dataset = open_dataset(shard(tmp_path, [("a.vec.npy", data), ("a.txt", b"words")]))
    target = TargetSource(dataset, LabelsConfig("vec").build())
    with pytest.raises(DataError, match=r"train-000000.tar:a: .*") as raised:
        target.load(0, train=False, generator=torch.Generator(), view=0)
    assert "\n" not in str(raised.value)
    with pytest.raises(WeftError, match=message):
        decode_array(data)
