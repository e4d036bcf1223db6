"""Excel tables and JSON lists."""

import datetime
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from weft.core.errors import DataError
from weft.data.formats import Said, _excel_rows, open_dataset

openpyxl = pytest.importorskip("openpyxl")


def book(path: Path, *sheets: list[list[Any]]) -> Path:
    made = openpyxl.Workbook()
    made.remove(made.active)
    for number, rows in enumerate(sheets):
        sheet = made.create_sheet(f"Blatt {number}")
        for row in rows:
            sheet.append(row)
    made.save(path)
    return path


def test_values_as_excel_shows_them(tmp_path: Path) -> None:
    path = book(
        tmp_path / "t.xlsx",
        [],
        [
            ["image", "Befund", "Preis", "Zahl", "Tag", "Zeit", "ja", None, None],
            [],
            ["a.jpg", " rechts ", 1.5, "1.234,5", datetime.datetime(2026, 3, 5), datetime.datetime(2026, 3, 5, 9, 30), True],
            ["b.jpg", None, 3, "7", None, None, False, "x"],
        ],
        [["other"], [1]],
    )  # fmt: skip
    made = openpyxl.load_workbook(path)
    made["Blatt 1"].cell(2, 1).value = None
    made["Blatt 1"]["C4"].number_format = "00000"
    made.save(path)
    one, two = open_dataset(path, said=Said({"text": "Befund"}))
    image = one.items.pop("image")
    assert image.path == tmp_path / "a.jpg"
    assert one.items == {
        "text": "rechts", "Preis": 1.5, "Zahl": "1234.5", "Tag": "2026-03-05", "Zeit": "2026-03-05T09:30:00", "ja": True,
    }  # fmt: skip
    assert two.items["Preis"] == "00003"
    assert (two.source, two.items["column 8"]) == (f"{path}:4", "x")


def test_the_sheet_that_is_read_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = book(tmp_path / "t.xlsx", [["a"], [1]], [["b"], [2]])
    with caplog.at_level(logging.WARNING):
        assert len(open_dataset(path)) == 1
    assert "sheet 'Blatt 0' is read; others are not: Blatt 1" in caplog.text


def test_a_damaged_workbook(tmp_path: Path) -> None:
    path = tmp_path / "t.xlsx"
    path.write_bytes(b"PK\x03\x04 not really")
    with pytest.raises(DataError, match=r"t.xlsx: is not readable as Excel: "):
        open_dataset(path)
    book(path, [["a", "a"], [1, 2]])
    with pytest.raises(DataError, match=r"t.xlsx:1: has the column 'a' twice"):
        open_dataset(path)


def test_a_workbook_that_unpacks_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = book(tmp_path / "t.xlsx", [["a", "b"], *([n, "x"] for n in range(20))])
    monkeypatch.setattr(_excel_rows, "MOST_ROWS", 20)
    with pytest.raises(DataError, match="a sheet has more than 20 rows"):
        open_dataset(path)
    monkeypatch.setattr(_excel_rows, "LARGEST_FILE", 1000)
    with pytest.raises(DataError, match=r"unpacks to [\d,]+ bytes, more than the limit of 1,000"):
        open_dataset(path)


def test_a_json_list_of_rows(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    path.write_text(json.dumps([{"text": "a", "n": 1}, {"text": "b", "n": 2}], indent=1))
    assert [row.items for row in open_dataset(path)] == [
        {"text": "a", "n": 1},
        {"text": "b", "n": 2},
    ]
    assert open_dataset(tmp_path)[1].source == f"{path}:2"
    path.write_text('[{"text": "a"}, 3]')
    with pytest.raises(DataError, match=r"t.json:2: holds 3, expected a JSON object"):
        open_dataset(path)
