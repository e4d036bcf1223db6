"""NLVR and NLVR2 in the layouts in which they are distributed, and NLVR repacked."""

import io
import json
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from weft.core.errors import DataError, WeftError
from weft.data.formats import missing_files, open_dataset


def png(path: Path) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((100, 400, 3), np.uint8)).save(buffer, "PNG")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(buffer.getvalue())
    return buffer.getvalue()


def write_lines(path: Path, *rows: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def distributed(root: Path, **changes: object) -> Path:
    row = {
        "sentence": "There is a box with a black circle.",
        "identifier": "1304-0",
        "directory": "56",
        "label": "true",
        "evals": {"r0": "true"},
        "structured_rep": [[], [], []],
        **changes,
    }
    write_lines(root / "train" / "train.json", row)
    for order in (0, 1):
        png(root / "train" / "images" / "56" / f"train-1304-0-{order}.png")
    return root


def test_nlvr_as_distributed(tmp_path: Path) -> None:
    distributed(tmp_path)
    write_lines(
        tmp_path / "dev" / "dev.json",
        {"sentence": "No.", "identifier": "7-1", "directory": 3, "label": "false"},
    )
    png(tmp_path / "dev" / "images" / "3" / "dev-7-1-0.png")
    rows = open_dataset(tmp_path, split="train")
    assert [row.id for row in rows] == ["train-1304-0-0", "train-1304-0-1"]
    assert {row.group for row in rows} == {"train-1304-0"}
    first = rows[0].items
    assert first["image"].path == tmp_path / "train" / "images" / "56" / "train-1304-0-0.png"
    assert (first["text"], first["label"]) == ("There is a box with a black circle.", True)
    (other,) = open_dataset(tmp_path, split="dev")
    assert (other.items["label"], other.items["split"]) == (False, "validation")
    assert not list(missing_files(rows))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"label": "maybe"}, "train.json:1: 'label' holds 'maybe', expected true or false"),
        ({"sentence": 5}, "'sentence' holds 5"),
        ({"identifier": "9-9"}, "has no picture: .*train-9-9-0.png does not exist"),
    ],
)
def test_nlvr_says_what_is_wrong(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    distributed(tmp_path, **changes)
    with pytest.raises(DataError, match=message):
        open_dataset(tmp_path)
    bad: list[DataError] = []
    with pytest.raises(WeftError, match="holds no rows"):
        open_dataset(tmp_path, on_error=bad.append)
    assert len(bad) == 1


def test_nlvr_repacked(tmp_path: Path) -> None:
    data = png(tmp_path / "one.png")
    (tmp_path / "one.png").unlink()
    rows = {"id": "5-0", "sentence": "Yes", "label": True, "images": ["a.png", "b.png"]}
    write_lines(tmp_path / "test.jsonl", rows)
    with zipfile.ZipFile(tmp_path / "test_images.zip", "w") as archive:
        archive.writestr("a.png", data)
    read = open_dataset(tmp_path)
    assert (len(read), read[0].id) == (2, "a")
    assert read[0].items["image"].read() == data
    assert pickle.loads(pickle.dumps(read))[0].items["image"].read() == data
    with pytest.raises(WeftError, match=r"the archive test_images.zip has no b.png"):
        read[1].items["image"].read()
    (tmp_path / "test_images.zip").write_bytes(b"nothing")
    with pytest.raises(WeftError, match="cannot be read"):
        open_dataset(tmp_path)[0].items["image"].read()


def test_nlvr2_as_distributed(tmp_path: Path) -> None:
    row = {
        "validation": {"3": "True"},
        "sentence": "An image shows one leather pencil case. ",
        "left_url": "https://example.org/a.jpg",
        "uid": "u0",
        "label": "True",
        "synset": "pencilbox",
        "query": "pencil case0",
        "identifier": "train-10171-0-0",
        "directory": "37",
        "right_url": "https://example.org/b.jpg",
    }
    write_lines(tmp_path / "data" / "train.json", row)
    write_lines(
        tmp_path / "data" / "dev.json", {**row, "identifier": "dev-850-0-1", "label": "False"}
    )
    for side in (0, 1):
        png(tmp_path / "images" / "train" / "37" / f"train-10171-0-img{side}.png")
        png(tmp_path / "dev" / f"dev-850-0-img{side}.png")
    (train,) = open_dataset(tmp_path, split="train")
    assert (train.id, train.group) == ("train-10171-0-0", "train-10171")
    assert train.items["image"].path.name == "train-10171-0-img0.png"
    assert train.items["image2"].path.name == "train-10171-0-img1.png"
    assert (train.items["text"][-1], train.items["label"]) == (".", True)
    (dev,) = open_dataset(tmp_path, split="validation")
    assert dev.items["label"] is False
    (tmp_path / "dev" / "dev-850-0-img1.png").unlink()
    with pytest.raises(DataError, match=r"dev.json:1: photograph dev-850-0-img1.png is in none of"):
        open_dataset(tmp_path)
