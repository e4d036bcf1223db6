"""A cell has one meaning, whatever the container of its table."""

import csv
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from weft.core.errors import DataError, WeftError
from weft.data.formats import Dataset, Said, open_dataset
from weft.data.formats._forms import _warn
from weft.data.memory import dataset_of, write_table
from weft.data.schema import infer
from weft.modalities.cell import CellConfig
from weft.modalities.table import TableConfig

ROWS: list[dict[str, str | None]] = [
    {
        "Preis": ["1.299,00 €", "70,85 €", "5 EUR", "n/a"][n % 4],
        "Anteil": f" {n} % ",
        "Gewicht": "siehe Akte" if n == 3 else f"{n},5",
        "Datum": f"{n + 1}/3/2026",
        "Farben": ["rot; blau", "rot", "blau; rot"][n % 3],
        "PLZ": f"0{1000 + n}",
        "Befund": None if n == 5 else f"kein Erguss zu sehen, Aufnahme {n}",
        "Klasse": ["ja", "nein"][n % 2],
        "leer": "  ",
    }
    for n in range(24)
]


def delimited(delimiter: str) -> Callable[[Path], Dataset]:
    def opened(folder: Path) -> Dataset:
        with (folder / "t.csv").open("w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, list(ROWS[0]), delimiter=delimiter)
            table.writeheader()
            table.writerows(ROWS)
        return open_dataset(folder / "t.csv")

    return opened


def excel(folder: Path) -> Dataset:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in (list(ROWS[0]), *(list(row.values()) for row in ROWS)):
        book.active.append(row)
    book.save(folder / "t.xlsx")
    return open_dataset(folder / "t.xlsx")


def parquet(folder: Path) -> Dataset:
    pq.write_table(pa.Table.from_pylist(ROWS), folder / "t.parquet", row_group_size=7)
    return open_dataset(folder / "t.parquet")


def parquet_of_categories(folder: Path) -> Dataset:
    table = pa.Table.from_pylist(ROWS)
    encoded = [column.dictionary_encode() for column in table.columns]
    pq.write_table(pa.table(encoded, table.column_names), folder / "t.parquet")
    return open_dataset(folder / "t.parquet")


def pandas(folder: Path) -> Dataset:
    return dataset_of(pytest.importorskip("pandas").DataFrame(ROWS))


def pandas_kept(folder: Path) -> Dataset:
    frame = pytest.importorskip("pandas").DataFrame(ROWS)
    return open_dataset(write_table(frame, folder / "t.parquet"))


def arrow(folder: Path) -> Dataset:
    return dataset_of(pa.Table.from_pylist(ROWS))


CONTAINERS = [delimited(","), excel, parquet, parquet_of_categories, pandas, pandas_kept, arrow]


@pytest.mark.parametrize("container", CONTAINERS, ids=lambda made: made.__name__)
def test_the_container_does_not_matter(
    tmp_path: Path, container: Callable[[Path], Dataset]
) -> None:
    (tmp_path / "semicolon").mkdir()
    expected, found = delimited(";")(tmp_path / "semicolon"), container(tmp_path)
    assert [row.items for row in found] == [row.items for row in expected]
    schema = infer(found)
    assert schema.columns == infer(expected).columns
    assert {name: (c.kind, c.unit) for name, c in schema.columns.items()} == {
        "Preis": ("number", "€"), "Anteil": ("number", "%"), "Gewicht": ("number", ""), "Datum": ("date", ""),
        "Farben": ("tags", ""), "PLZ": ("id", ""), "Befund": ("text", ""), "Klasse": ("category", ""),
        "leer": ("empty", ""),
    }  # fmt: skip
    assert found[3].items.keys().isdisjoint({"Preis", "Gewicht"})
    assert found[0].items["Datum"] == "2026-03-01"


def test_unreadable_cells_are_missing_and_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _warn.cache_clear()
    with caplog.at_level(logging.WARNING):
        delimited(";")(tmp_path)
        delimited(";")(tmp_path)
    assert caplog.messages == [
        f"column 'Gewicht': 1 of 24 values are no numbers, such as 'siehe Akte' ({tmp_path}/t.csv:5): "
        "they count as missing"
    ]


def column(values: list[str], **said: Any) -> Dataset:
    return dataset_of([{"x": value, "n": n} for n, value in enumerate(values)], Said(**said))


@pytest.mark.parametrize(
    ("values", "note"),
    [
        (["250.8", "401"] * 20 + ["V27"], None),
        (["12", "17", "19", "20"] * 3 + ["low"] * 3, "3 of 15 values are no numbers, such as 'low' (row 13): --columns number=x"),
        (["3 kg", "200 g", "4 kg"], "values are in several units, kg (2) and g (1): write all in one"),
    ],
)  # fmt: skip
def test_columns_that_stay_text(values: list[str], note: str | None) -> None:
    found = column(values)
    assert [row.items["x"] for row in found] == values
    notes = infer(found).columns["x"].notes
    assert notes == () if note is None else notes[0].startswith(note)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (["12", "low", "high", "none of these"], "most values are no numbers, such as 'low'"),
        (["3 kg", "200 g"], "values are in several units, kg (1) and g (1): write all in one"),
    ],
)
def test_a_column_that_is_said_to_be_of_numbers(values: list[str], reason: str) -> None:
    with pytest.raises(DataError) as raised:
        column(values, columns={"number": "x"})
    assert raised.value.reason == f"column 'x': {reason}"


def test_what_can_be_read_in_two_ways_is_read_as_said_or_as_before() -> None:
    values = ["1.234", "2.345"]
    said = [row.items["x"] for row in column(values, columns={"x": "decimal-comma"})]
    before = [row.items["x"] for row in column(values, forms={"x": "decimal-comma"})]
    assert said == before == ["1234", "2345"]
    assert column(["12.5"], forms={"x": "decimal-comma"})[0].items["x"] == "12.5"
    days = column(["3/4/2026"], forms={"x": "day-first"})
    assert days[0].items["x"] == "2026-04-03"
    assert infer(days).columns["x"].kind == "date"


def test_units_are_learned_and_others_are_refused() -> None:
    cell, table = CellConfig("number").build(), TableConfig(numbers=("x",)).build()
    cell.fit(["70.85 €", "12", "5 €"])
    table.fit([{"x": "70.85 €"}, {"x": "5 €"}])
    again = TableConfig(numbers=("x",)).build()
    again.restore(table.state())
    assert cell.decode("7 €") == again.decode({"x": "7"})["x"] == 7
    for refused in (lambda: cell.decode("7 $"), lambda: again.decode({"x": "7 $"})):
        with pytest.raises(WeftError, match="'7 \\$', expected a number in €"):
            refused()
    shown = again.names_of(again.transform({"x": 5.0}, train=False, generator=None)[None][0])  # type: ignore[arg-type]
    assert shown == ["x 5 €"]
