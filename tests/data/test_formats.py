"""Opening data sets: JSON lines, folders, and what is said where a path is none."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from weft.core.errors import DataError, WeftError
from weft.core.media import Alternatives, Media
from weft.data.formats import formats, missing_files, open_dataset, split_name


def write_jsonl(path: Path, rows: list[Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_text("\n".join(text) + "\n", encoding="utf-8")
    return path


def picture(path: Path, value: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((8, 8, 3), value, np.uint8)).save(path)
    return path


def message(path: Path | str, **options: Any) -> str:
    with pytest.raises(WeftError) as raised:
        open_dataset(path, **options)
    text = str(raised.value)
    assert "\n" not in text
    return text


def test_every_format_describes_itself_in_a_line() -> None:
    assert len(formats()) >= 17
    for name, module in formats().items():
        assert name == module.NAME
        assert module.DESCRIPTION
        assert "\n" not in module.DESCRIPTION


@pytest.mark.parametrize("given", ["dev", "val", "VALID", "validation"])
def test_split_names(given: str) -> None:
    assert split_name(given) == "validation"
    assert split_name("extra") == "extra"


@pytest.mark.parametrize("name", ["", "captions.jsonl"])
def test_flickr8k_opens_as_it_is(shared_data: Callable[[str], Path], name: str) -> None:
    path = shared_data("flickr8k") / name
    dataset = open_dataset(path)
    assert Counter(s.items["split"] for s in dataset) == {
        "train": 6000,
        "validation": 1000,
        "test": 1000,
        "extra": 91,
    }
    first = dataset[0]
    assert first.id == first.group == "1000268201_693b08cb0e.jpg"
    assert first.source.endswith("captions.jsonl:1")
    assert first.items["image"].read()[:2] == b"\xff\xd8"
    assert len(first.items["text"]) == 5
    assert list(missing_files(dataset)) == []


def test_flickr8k_cn_has_the_same_groups_and_splits(shared_data: Callable[[str], Path]) -> None:
    english = open_dataset(shared_data("flickr8k"), split="test")
    chinese = open_dataset(shared_data("flickr8k") / "captions_zh.jsonl", split="test")
    assert [s.group for s in english] == [s.group for s in chinese]
    assert all(not s.items["text"][0].isascii() for s in chinese)


def test_jsonl_columns(tmp_path: Path) -> None:
    write_jsonl(
        tmp_path / "data.jsonl",
        [
            {
                "file_name": "a.png",
                "sentence": "one",
                "id": 1,
                "group": "p",
                "split": "dev",
                "n": 3,
            },
            {"file_name": "a.png", "sentence": "two", "id": 2},
            "",
            {"file_name": None, "sentence": None, "id": 3, "n": None},
        ],
    )
    picture(tmp_path / "a.png")
    one, two, three = open_dataset(tmp_path)
    assert one.items == {
        "image": Media.file(tmp_path / "a.png"),
        "text": "one",
        "split": "validation",
        "n": 3,
    }
    assert (one.id, one.group, one.source) == ("1", "p", f"{tmp_path}/data.jsonl:1")
    assert (two.id, two.group) == ("2", "a.png")
    assert three.items == {}
    assert three.source.endswith(":4")


def test_rows_of_one_picture_share_its_group(tmp_path: Path) -> None:
    rows = [{"image": name, "caption": "c"} for name in ("a.jpg", "b.jpg", "a.jpg", "a.jpg")]
    write_jsonl(tmp_path / "d.jsonl", rows)
    dataset = list(open_dataset(tmp_path / "d.jsonl"))
    assert [s.id for s in dataset] == ["a.jpg", "b.jpg", "a.jpg#1", "a.jpg#2"]
    assert [s.group for s in dataset] == ["a.jpg", "b.jpg", "a.jpg", "a.jpg"]


def test_one_jsonl_a_split(tmp_path: Path) -> None:
    for name in ("train", "dev", "test"):
        write_jsonl(tmp_path / f"{name}.jsonl", [{"text": name}])
    dataset = open_dataset(tmp_path, split="val")
    assert [s.items["text"] for s in dataset] == ["dev"]
    assert len({s.id for s in open_dataset(tmp_path)}) == 3
    write_jsonl(tmp_path / "more.jsonl", [{"text": "x"}])
    assert len(open_dataset(tmp_path)) == 3


def test_a_folder_with_several_tables_asks_for_one(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_jsonl(tmp_path / f"{name}.jsonl", [{"text": name}])
    assert message(tmp_path) == (
        f"{tmp_path}: holds several tables, expected one: give the path of one of a.jsonl, b.jsonl"
    )


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([{"text": "a"}, '{"text": '], ":2: is not JSON: Expecting value: '{\"text\": '"),
        ([{"text": "a"}, "[1]"], ":2: holds '[1]', expected a JSON object"),
        ([{"text": "a"}, {"txt": "b"}], ":2: has no column 'text', it has: txt"),
        ([{"text": "a"}, {"text": 5}], ":2: column 'text' holds 5, expected a string or a list"),
        ([{"text": "a"}, {"text": ["a", 5]}], ":2: column 'text' holds ['a', 5]"),
        ([{"image": "a\0.jpg"}], ":1: column 'image' holds 'a\\x00.jpg', expected a path"),
        (['{"image": "\\ud800.jpg"}'], ":1: a name holds half a surrogate pair: '\\ud800.jpg'"),
        (['{"id": "\\ud800", "text": ""}'], ":1: a name holds half a surrogate pair: '\\ud800"),
        ([{"text": "a"}, {"image": "b", "text": "c"}], ":1: has no column 'image', it has: text"),
        ([{"text": "a"}, *[{"caption": "b"}] * 2], ":1: has no column 'caption', it has: text"),
        ([{"image": 3}], ":1: column 'image' holds 3, expected a path"),
        (
            [{"text": "a", "id": "x"}, {"text": "b"}, {"text": "c", "id": "x"}],
            "/d.jsonl:3: id 'x' is already used at {path}:1",
        ),
    ],
)
def test_jsonl_errors_name_file_and_line(tmp_path: Path, rows: list[Any], expected: str) -> None:
    path = write_jsonl(tmp_path / "d.jsonl", rows)
    text = message(path)
    assert text.startswith(f"{path}:")
    assert expected.replace("{path}", str(path)) in text


def test_bad_rows_are_left_out_where_the_handler_returns(tmp_path: Path) -> None:
    rows = [{"text": "a", "id": 1}, "{", {"id": 2}, {"text": "d", "id": 1}, {"text": "e", "id": 5}]
    path = write_jsonl(tmp_path / "d.jsonl", rows)
    path.write_bytes(path.read_bytes() + b'{"text": "\xff"}\n')
    errors: list[DataError] = []
    dataset = open_dataset(path, on_error=errors.append)
    assert [s.items["text"] for s in dataset] == ["a", "e"]
    assert [e.source for e in errors] == [f"{path}:{line}" for line in (2, 6, 3, 4)]
    assert errors[1].reason.startswith("is not UTF-8 text")


def test_an_absent_picture_is_named(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "a.jpg")
    path = write_jsonl(
        tmp_path / "d.jsonl", [{"image": "a.jpg", "text": ""}, {"image": "b.jpg", "text": ""}]
    )
    (error,) = missing_files(open_dataset(path))
    assert str(error) == f"{path}:2: image file {tmp_path}/images/b.jpg does not exist"


def test_a_name_too_long_for_any_file_is_absent(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "d.jsonl", [{"image": "a" * 5000, "text": ""}])
    (error,) = missing_files(open_dataset(path))
    assert error.source == f"{path}:1"


def test_a_folder_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(self: Path) -> Any:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "iterdir", denied)
    assert message(tmp_path) == f"{tmp_path}: cannot be read: Permission denied"


def test_paths_that_name_the_images_folder_themselves(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "a.jpg")
    write_jsonl(tmp_path / "d.jsonl", [{"image": "images/a.jpg"}])
    assert open_dataset(tmp_path)[0].items["image"].path == tmp_path / "images" / "a.jpg"


def test_splits_that_do_not_exist(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "d.jsonl", [{"text": "a", "split": s} for s in ("val", "test")])
    assert message(path, split="tset") == (
        f"{path}: unknown split 'tset': did you mean test? known: test, validation"
    )
    path = write_jsonl(tmp_path / "e.jsonl", [{"text": "a"}])
    assert "has no splits, got split 'test'" in message(path, split="test")
    path.write_text("\n")
    assert message(path) == f"{path}: holds no rows: all its lines are blank"


def test_folder_of_pictures_with_captions(tmp_path: Path) -> None:
    for split in ("train", "val"):
        for n in range(2):
            file = picture(tmp_path / split / f"图 {n}.png")
            file.with_suffix(".txt").write_text(f"{split} {n}\n\n second line \n", encoding="utf-8")
    dataset = list(open_dataset(tmp_path))
    assert [s.id for s in dataset] == [f"{s}/图 {n}.png" for s in ("train", "val") for n in (0, 1)]
    assert dataset[3].items == {
        "image": Media.file(tmp_path / "val" / "图 1.png"),
        "split": "validation",
        "text": Alternatives(["val 1", "second line"]),
    }
    assert len(open_dataset(tmp_path, split="dev")) == 2


def test_class_folders(tmp_path: Path) -> None:
    for split in ("train", "test"):
        for label in ("cat", "dog"):
            picture(tmp_path / split / label / "0.jpg")
    picture(tmp_path / "train" / "dog" / ".hidden.jpg")
    dataset = list(open_dataset(tmp_path))
    assert [(s.items["split"], s.items["label"]) for s in dataset] == [
        ("test", "cat"),
        ("test", "dog"),
        ("train", "cat"),
        ("train", "dog"),
    ]
    assert "text" not in dataset[0].items


def test_a_caption_without_its_file_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    picture(tmp_path / "a.jpg")
    (tmp_path / "a.txt").write_text("fine")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "readme.txt").write_text("not about a picture")
    assert len(open_dataset(tmp_path)) == 1
    assert caplog.text == ""
    (tmp_path / "b.txt").write_text("lost")
    assert len(open_dataset(tmp_path)) == 1
    assert (
        f"1 .txt files are left out, beside which there is no file of their name; the first: {tmp_path}/b.txt"
        in (caplog.text)
    )


def test_folder_errors_name_the_picture(tmp_path: Path) -> None:
    for name in "abcd":
        picture(tmp_path / f"{name}.jpg")
    (tmp_path / "a.txt").write_text("fine")
    (tmp_path / "b.txt").write_text(" \n")
    (tmp_path / "c.txt").write_bytes(b"one\n\xff")
    errors: list[DataError] = []
    assert [s.id for s in open_dataset(tmp_path, on_error=errors.append)] == ["a.jpg"]
    assert [str(e).partition(": --")[0] for e in errors] == [
        f"{tmp_path}/b.txt: is empty, expected one caption a line",
        f"{tmp_path}/c.txt:2: is not UTF-8 text",
        f"{tmp_path}/d.jpg: has no captions: d.txt does not exist",
    ]


def test_linked_folders_are_read_as_folders(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        picture(tmp_path / "store" / name / "0.jpg")
    view = tmp_path / "view"
    (view / "train" / "cat").mkdir(parents=True)
    (view / "train" / "cat" / "a.jpg").symlink_to(tmp_path / "store" / "cat" / "0.jpg")
    (view / "train" / "dog").symlink_to(tmp_path / "store" / "dog")
    (view / "test").symlink_to(tmp_path / "store")
    dataset = open_dataset(view)
    assert [(s.id, s.items["split"], s.items["label"]) for s in dataset] == [
        ("test/cat/0.jpg", "test", "cat"),
        ("test/dog/0.jpg", "test", "dog"),
        ("train/cat/a.jpg", "train", "cat"),
        ("train/dog/0.jpg", "train", "dog"),
    ]
    # Two links to one file are one picture: a leak between these splits is found by its group.
    assert [s.group for s in dataset] == ["test/cat/0.jpg", "test/dog/0.jpg"] * 2


def test_a_link_that_leads_back_is_named(tmp_path: Path) -> None:
    picture(tmp_path / "cat" / "0.jpg")
    (tmp_path / "cat" / "again").symlink_to(tmp_path)
    errors: list[DataError] = []
    assert len(open_dataset(tmp_path, on_error=errors.append)) == 1
    assert str(errors[0]) == f"{tmp_path}/cat/again: is a link that leads back to {tmp_path}"


def test_names_in_capitals(tmp_path: Path) -> None:
    picture(tmp_path / "a.JPG")
    (tmp_path / "a.TXT").write_text("a caption")
    (sample,) = open_dataset(tmp_path)
    assert list(sample.items["text"]) == ["a caption"]


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet", "CSV"])
@pytest.mark.parametrize("nested", [True, False])
def test_metadata_describes_the_pictures_beside_it(
    tmp_path: Path, kind: str, nested: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Hugging Face's image folders, with a table in each split or one for all."""
    tables: dict[Path, list[dict[str, str]]] = {}
    for split in ("train", "test"):
        for n in range(2):
            picture(tmp_path / split / f"{n}.png", n)
            table = tmp_path / (split if nested else "") / f"metadata.{kind}"
            name = f"{n}.png" if nested else f"{split}/{n}.png"
            tables.setdefault(table, []).append({"file_name": name, "text": f"{split} {n}"})
    picture(tmp_path / "train" / "other.png")
    for table, rows in tables.items():
        if kind == "parquet":
            pq.write_table(pa.Table.from_pylist(rows), table)
        elif kind == "jsonl":
            write_jsonl(table, rows)
        else:
            comma = "\t" if kind == "tsv" else ","
            lines = [comma.join(rows[0]), *(comma.join(row.values()) for row in rows)]
            table.write_text("\n".join(lines) + "\n")
    paths = [tmp_path] if nested else [tmp_path, tmp_path / f"metadata.{kind}"]
    for path in paths:
        dataset = sorted(open_dataset(path), key=lambda sample: sample.id)
        assert [(s.id, s.group, s.items["split"], s.items["text"]) for s in dataset] == [
            (f"{split}/{n}.png", f"{split}/{n}.png", split, f"{split} {n}")
            for split in ("test", "train")
            for n in range(2)
        ]
        assert list(missing_files(dataset)) == []
        assert "label" not in dataset[0].items
    assert "1 files are left out, which are not in" in caplog.text


def test_metadata_without_pictures_is_a_table(tmp_path: Path) -> None:
    (tmp_path / "metadata.csv").write_text("id,text\n1,words\n")
    for path in (tmp_path, tmp_path / "metadata.csv"):
        assert open_dataset(path)[0].items["text"] == "words"


def test_tables_below_a_folder_of_pictures_are_said_not_to_be_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    picture(tmp_path / "train" / "0.png")
    (tmp_path / "train" / "captions.csv").write_text("image,text\n0.png,words\n")
    open_dataset(tmp_path)
    table = tmp_path / "train" / "captions.csv"
    assert f"{table} is not read: name it metadata.csv, or give its path" in caplog.text


def test_a_class_may_have_the_name_of_a_split(tmp_path: Path) -> None:
    for label in ("cat", "train", "test tube"):
        picture(tmp_path / label / "0.jpg")
    assert sorted((s.items["label"], s.items.get("split")) for s in open_dataset(tmp_path)) == [
        ("cat", None),
        ("test tube", None),
        ("train", None),
    ]


@pytest.mark.parametrize(
    "names", [["train/cat/0", "test/cat/1", "cat/2"], ["train/0", "test/0", "cat/0"]]
)
def test_splits_beside_other_folders_are_refused(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        picture(tmp_path / f"{name}.jpg")
    assert message(tmp_path).startswith(
        f"{tmp_path}: test, train are named like a split, but cat is not: expected top folders that"
    )


@pytest.mark.parametrize("words", ["training_set test_set", "train2017 val2017", "Train Test"])
def test_folders_named_after_splits(tmp_path: Path, words: str) -> None:
    for name in words.split():
        picture(tmp_path / name / "cat" / "0.jpg")
    dataset = open_dataset(tmp_path, split="train")
    assert [(s.items["label"], s.items["split"]) for s in dataset] == [("cat", "train")]


def test_paths_that_are_no_data_set(tmp_path: Path) -> None:
    assert message(tmp_path / "nothing") == f"{tmp_path}/nothing: no such file or folder"
    assert (
        "is no known format: found an empty folder, expected a folder of pictures, a table ("
        in message(tmp_path)
    )
    (tmp_path / "a.xyz").write_text("?")
    assert "found 1 .xyz, expected a folder of pictures, a table (" in message(tmp_path)
    assert "found a .xyz file of 1 bytes" in message(tmp_path / "a.xyz")
    assert "unknown format 'jsnl': did you mean jsonl" in message(tmp_path, format="jsnl")
    assert "no such file" in message(tmp_path / "no.jsonl", format="jsonl")
    (tmp_path / "a.jpg").write_text("")
    assert message(tmp_path, format="jsonl") == f"{tmp_path}: holds no rows"
