"""Rows handed to workers as JSON come back as they were."""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from written_shards import write_shards

from weft.core.errors import DataError
from weft.core.media import Alternatives, Media
from weft.core.samples import Sample
from weft.data.formats import open_dataset
from weft.data.formats._json_rows import row_json, row_of
from weft.data.formats._zip_members import ZipMember


def back(sample: Sample) -> Sample:
    return row_of(json.loads(json.dumps(row_json(sample))))


def plain(value: Any) -> Any:
    """For comparison: arrays as lists, Media as their content."""
    match value:
        case Media():
            return value.kind, value.suffix, value.read()
        case np.ndarray():
            return value.tolist(), str(value.dtype)
        case Alternatives():
            return "alternatives", [plain(each) for each in value]
        case list():
            return [plain(each) for each in value]
        case dict():
            return {name: plain(each) for name, each in value.items()}
    return value


def test_every_kind_of_value(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"file")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("b.png", b"zipped")
    items = {
        "text": Alternatives(["a", "b"]),
        "label": True,
        "number": 1.5,
        "nothing": None,
        "list": ["x", [1, {"media": 2}], Media.encoded(b"frame", "image", "jpg")],
        "mapping": {"media": ["file"], "array": {"alternatives": [1]}},
        "boxes": np.arange(4, dtype=np.float32).reshape(2, 2),
        "count": np.int64(3),
        "file": Media.file(tmp_path / "a.png", folder=tmp_path),
        "zip": Media("image", ZipMember(tmp_path / "a.zip", "b.png"), "png"),
        "bytes": Media.encoded(bytes(range(256)), "audio", "wav"),
        "pixels": Media.array_of(np.zeros((2, 2, 3), np.uint8), "image"),
    }
    sample = Sample("i", "g", items, "s:1", "m")
    found = back(sample)
    assert (found.id, found.group, found.source, found.match) == ("i", "g", "s:1", "m")
    assert plain(found.items) == plain({**items, "count": 3})
    assert found.items["file"].place.folder == tmp_path


def test_rows_of_shards_and_parquet_name_where_their_bytes_lie(tmp_path: Path) -> None:
    picture = Media.encoded(b"\xff\xd8\xff of a JPEG", "image", "jpg")
    write_shards([Sample("a", "a", {"image": picture, "text": "t"}, "s")], tmp_path / "tar")
    pq.write_table(pa.table({"image": [picture.read()], "text": ["t"]}), tmp_path / "a.parquet")
    for path in (tmp_path / "tar", tmp_path / "a.parquet"):
        (sample,) = open_dataset(path)
        assert len(json.dumps(row_json(sample))) < 1000
        assert "base64" not in json.dumps(row_json(sample))
        found = back(sample).items["image"]
        assert found == sample.items["image"]
        assert found.read() == picture.read()


def test_what_is_no_value_of_a_row_is_named() -> None:
    with pytest.raises(DataError, match="s:1: cannot be handed to a worker: a object is no value"):
        row_json(Sample("i", "g", {"x": object()}, "s:1"))
