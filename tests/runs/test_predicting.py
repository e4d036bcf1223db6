"""New rows are read as those of the run were, where nothing else is said of them."""

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from weft.core.errors import DataError, WeftError
from weft.data.formats import Said
from weft.data.sources import FilesConfig
from weft.runs.new_rows import rows_like
from weft.runs.recipe import Recipe

ROWS = "Befund;Patient\nMädchen, müde;P1\nJunge, Größe gut;P2\n"


def run_on(files: FilesConfig) -> Recipe:
    data = SimpleNamespace(source=SimpleNamespace(files=files), streams={})
    return cast(Recipe, SimpleNamespace(data=data))


@pytest.fixture
def run(tmp_path: Path) -> Recipe:
    columns = {"text": "Befund", "group": "Patient", "label": "Art"}
    return run_on(FilesConfig(tmp_path / "old.csv", columns=columns, encoding="cp1252"))


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("cp1252", Said()),
        ("cp1252", Said(encoding="cp1252")),
        ("utf-8", Said()),
        ("utf-16", Said(encoding="utf-16")),
    ],
)
def test_the_encoding_is_that_of_the_run_unless_said_or_seen(
    tmp_path: Path, run: Recipe, written: str, said: Said
) -> None:
    table = tmp_path / "new.csv"
    table.write_text(ROWS, encoding=written)
    rows = rows_like(run, table, pytest.fail, said)
    assert [rows[n].items["text"] for n in range(2)] == ["Mädchen, müde", "Junge, Größe gut"]
    assert rows[0].group == "P1"


def test_where_no_row_can_be_read_the_first_problem_is_named(tmp_path: Path) -> None:
    table = tmp_path / "new.csv"
    table.write_text(ROWS, encoding="cp1252")
    bad: list[DataError] = []
    with pytest.raises(WeftError, match="holds no rows; the first problem: .*csv:2: is not UTF-8"):
        rows_like(run_on(FilesConfig(tmp_path / "old.csv")), table, bad.append)
    assert len(bad) == 2
