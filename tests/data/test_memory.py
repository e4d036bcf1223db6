"""Tables in memory: of pandas or pyarrow, or lists of dicts."""

import datetime
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from weft.core.errors import WeftError
from weft.core.media import Alternatives
from weft.data.formats import Dataset, Said, open_dataset
from weft.data.memory import FILE, TableConfig, dataset_of, is_table, rows_of_table, write_table
from weft.data.schema import infer
from weft.data.sources import FilesConfig

pd = pytest.importorskip("pandas")


def png(value: int) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.full((4, 4, 3), value, np.uint8)).save(out, "PNG")
    return out.getvalue()


RAW = {
    "path": "1.png",
    "bytes": png(1),
    "pillow": Image.fromarray(np.full((4, 4, 3), 1, np.uint8)),
    "array": np.full((4, 4, 3), 1, np.uint8),
}


def rows(raw: Any) -> list[dict[str, Any]]:
    return [
        {"Bild": raw, "Befund": f"text {n}", "Preis": "1.234,5", "Patient": n // 2, "n": n, "leer": None}
        for n in range(4)
    ]  # fmt: skip


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "1.png").write_bytes(png(1))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("kind", RAW)
@pytest.mark.parametrize("make", [list, pd.DataFrame], ids=["dicts", "pandas"])
def test_pictures_of_any_kind(here: Path, kind: str, make: Callable[[Any], Any]) -> None:
    table = make(rows(RAW[kind]))
    assert is_table(table)
    said = {"image": "Bild", "text": "Befund", "group": "Patient"}
    dataset = dataset_of(table, Said(said))
    kept = TableConfig(table, columns=said).kept(here)
    assert kept == FilesConfig(here / FILE, columns=said, forms={"Preis": "decimal-comma"})
    for found in (dataset, kept.open(None)):
        assert [row.group for row in found] == ["0", "0", "1", "1"]
        assert found[2].items["text"] == "text 2"
        pixels = Image.open(io.BytesIO(found[2].items["image"].read()))
        assert np.asarray(pixels)[0, 0].tolist() == [1, 1, 1]
        schema = infer(found, said)
        assert schema.columns["image"].kind == "image"
        assert schema.columns["leer"].kind == "empty"
    assert dataset[0].items["Preis"] == "1234.5"


def test_a_table_of_pyarrow(here: Path) -> None:
    table = pa.table({"image": ["1.png"] * 2, "caption": [["a", "b"], ["c"]], "n": [1, None]})
    one, two = dataset_of(table)
    assert one.items["text"] == Alternatives(["a", "b"])
    assert "n" not in two.items
    assert open_dataset(write_table(table, here / "t.parquet"))[0].items["image"].read() == png(1)


def test_values_of_pandas_are_plain() -> None:
    frame = pd.DataFrame(
        {
            "day": pd.to_datetime(["2026-03-05", None]),
            "x": [np.float32(0.5), np.nan],
            "c": pd.Categorical(["a", None]),
            "i": pd.array([1, None], dtype="Int64"),
            "when": [datetime.datetime(2026, 3, 5, 9), None],
        }
    )
    assert rows_of_table(frame) == [
        {"day": "2026-03-05", "x": 0.5, "c": "a", "i": 1, "when": "2026-03-05T09:00:00"},
        {"day": None, "x": None, "c": None, "i": None, "when": None},
    ]


def test_several_pictures_a_row(here: Path) -> None:
    data: Dataset = dataset_of([{"images": [png(1), png(2)], "n": 1}])
    assert [m.read() for m in data[0].items["images"]] == [png(1), png(2)]
    with pytest.raises(WeftError, match="column 'images' cannot be kept as parquet: lists of pict"):
        write_table([{"images": [png(1), png(2)]}], here / "t.parquet")


@pytest.mark.parametrize("value", [3, [3], "words", [["a"]]])
def test_what_is_no_table(value: Any) -> None:
    assert not is_table(value)
    with pytest.raises(
        WeftError, match="expected a table of pandas or pyarrow, or a list of dicts"
    ):
        rows_of_table(value)
