"""Conceptual Captions as distributed: which picture belongs to which line, and how many have none."""

from pathlib import Path

import pytest
from layouts import errors_of, touch, write

from weft.core.errors import DataError, WeftError
from weft.data.formats import missing_files, open_dataset

LINES = "".join(f"caption {n}\thttp://example.org/{n}?a=1&b\n" for n in range(4))


def test_pictures_by_row_and_by_address(tmp_path: Path) -> None:
    table = tmp_path / "Train_GCC-training.tsv"
    rows = [
        "a very typical bus station\thttp://a/1.jpg",
        "sierra looked stunning\thttp://b/2",
        "gone\thttps://c/3",
    ]
    table.write_text("\n".join(rows) + "\n", encoding="utf-8")
    with pytest.raises(WeftError, match="none of its pictures was found in"):
        open_dataset(tmp_path)
    touch(tmp_path / "images", "000000000.jpg")
    touch(tmp_path / "other", "b.png")
    (tmp_path / "images.tsv").write_text("http://b/2\tother/b.png\nhttps://c/3\tno.jpg\n")
    first, second = open_dataset(tmp_path, split="train")
    assert (first.id, first.items["image"].path.name) == ("Train_GCC-training-0", "000000000.jpg")
    assert (second.items["text"], second.items["image"].path.name) == (
        "sierra looked stunning",
        "b.png",
    )
    assert second.group == second.items["url"] == "http://b/2"
    table.write_text("\n".join([*rows, "without an address"]) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match="training.tsv:4: .*expected caption TAB address"):
        open_dataset(table)


def test_pictures_in_numbered_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(tmp_path / "Train_GCC-training.tsv", LINES)
    touch(tmp_path / "images", "000000001.png", "index.json", "thumb.jpg")
    touch(tmp_path / "images" / "00000", "000000003.jpg", "99.jpg")
    touch(tmp_path / "images" / "others", "0.jpg")
    dataset = open_dataset(tmp_path)
    assert list(missing_files(dataset)) == []
    assert [(s.items["text"], s.items["image"].path.name) for s in dataset] == [
        ("caption 1", "000000001.png"),
        ("caption 3", "000000003.jpg"),
    ]
    assert dataset[0].source == f"{file}:2"
    said = capsys.readouterr()
    assert said.err == f"{file}: 2 of 4 rows have no picture and are left out\n"
    assert said.out == ""


def test_nothing_is_said_where_all_pictures_are_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("Train_GCC-training", "Validation_GCC-1.1.0-Validation"):
        write(tmp_path / f"{name}.tsv", LINES)
        touch(tmp_path / "images" / name, "0.jpg", "1.jpg", "2.jpg", "3.jpg")
    assert len(open_dataset(tmp_path)) == 8
    validation = open_dataset(tmp_path, split="val")
    assert {s.items["image"].path.parent.name for s in validation} == {
        "Validation_GCC-1.1.0-Validation"
    }
    assert capsys.readouterr().err == ""


def test_two_pictures_of_one_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "Train_GCC-training.tsv", LINES)
    touch(tmp_path / "images", "0.jpg", "1.jpg")
    touch(tmp_path / "images" / "00000", "00.jpg")
    images = tmp_path / "images"
    assert errors_of(tmp_path) == [
        f"{images}/00000/00.jpg: is a second picture of row 0, beside {images}/0.jpg"
    ]
    assert "2 of 4 rows" in capsys.readouterr().err
