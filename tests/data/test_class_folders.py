"""Folders of classes whose names are said to be another column."""

from pathlib import Path

from PIL import Image

from weft.data.formats import Said, columns_of, open_dataset


def test_the_names_of_class_folders_can_be_texts(tmp_path: Path) -> None:
    for name in ("a dog", "a cat"):
        (tmp_path / name).mkdir()
        Image.new("RGB", (4, 4)).save(tmp_path / name / "1.png")
    rows = open_dataset(tmp_path, said=Said(columns={"text": "label"}))
    assert sorted(row.items["text"] for row in rows) == ["a cat", "a dog"]
    assert columns_of(rows).items == ("image", "text")
    assert "label" not in rows[0].items
