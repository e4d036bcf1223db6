"""Digits three ways: rows of recordings, each with a drawn picture of its digit."""

import zipfile
from pathlib import Path

import pytest

from weft.data.formats import columns_of
from weft.data.sources import FilesConfig
from weft.worlds.digits import DrawnDigitsConfig


@pytest.mark.parametrize("table", [True, False])
def test_what_is_known_of_the_columns_names_all_of_them_or_none(
    tmp_path: Path, table: bool
) -> None:
    if table:
        rows = "".join(f"{n}.wav,{n % 10},train\n" for n in range(20))
        (tmp_path / "rows.csv").write_text(f"audio,digit,split\n{rows}")
    else:
        with zipfile.ZipFile(tmp_path / "recordings.zip", "w") as archive:
            for n in range(20):
                archive.writestr(f"recordings/{n % 10}_george_{n}.wav", b"RIFF")
    path = tmp_path / "rows.csv" if table else tmp_path
    found = DrawnDigitsConfig(FilesConfig(path)).open("train")
    known = columns_of(found).items
    assert {"audio", "image"} <= set(known) if table else known == ()
    assert found[0].items["image"].array().shape == (32, 32, 3)
