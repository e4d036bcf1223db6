"""Streams of a recipe find the columns of a person's own table."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from weft.core.errors import WeftError
from weft.data.formats import Said
from weft.data.sources import FilesConfig
from weft.recipes import recipe
from weft.runs.own_columns import on_files, on_new_files, require_streams

TEXTS = ["the lung is clear today", "no fluid is to be seen"]


def table(folder: Path, *columns: str) -> Path:
    """Rows with pictures in Bild and texts in the named columns."""
    (folder / "a.jpg").write_bytes(b"")
    rows: list[dict[str, Any]] = [
        {"Bild": "a.jpg", "Patient": f"P{n}", **dict.fromkeys(columns, text)}
        for n, text in enumerate(TEXTS)
    ]
    path = folder / "t.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_the_only_column_of_a_kind_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = table(tmp_path, "Befund")
    monkeypatch.chdir(tmp_path)
    with caplog.at_level(logging.WARNING):
        made = on_files(recipe("clip"), "t.jsonl", Said({"group": "Patient"}))
    assert made.data.source == FilesConfig(
        path, columns={"group": "Patient", "image": "Bild", "text": "Befund"}
    )
    assert "stream 'text' reads column 'Befund', the only one of its kind" in caplog.text
    assert [row.items["text"] for row in made.data.source.open(None)] == TEXTS


def test_one_column_of_videos_is_both_what_is_seen_and_what_is_heard(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"")
    path = tmp_path / "t.csv"
    path.write_text("clip,spoken\na.mp4,good morning\n")
    made = on_files(recipe("grid_any_to_any"), path, Said({"audio": "clip", "text": "spoken"}))
    assert isinstance(made.data.source, FilesConfig)
    assert made.data.source.columns == {"audio": "clip", "text": "spoken", "video": "clip"}
    rows = made.data.source.open(None)
    require_streams(made, rows)
    assert {"audio", "video", "text"} <= rows[0].items.keys()
    silent = on_files(recipe("grid_any_to_any"), path, Said({"text": "spoken"}))
    with pytest.raises(WeftError, match="--columns audio=video reads its sound tracks"):
        require_streams(silent, silent.data.source.open(None))


def test_of_several_columns_one_must_be_named(tmp_path: Path) -> None:
    path = table(tmp_path, "Befund", "Anamnese")
    made = on_files(recipe("clip"), path)
    with pytest.raises(WeftError) as raised:
        require_streams(made, made.data.source.open(None))
    assert str(raised.value) == (
        f"{path}: stream 'text' needs a column 'text', the rows have image (image), Patient (id), Befund "
        "(text), Anamnese (text); name one with --columns text=COLUMN"
    )
    made = on_files(recipe("clip"), path, Said({"text": "Anamnese"}))
    again = on_files(made, path)  # what was said holds for other rows of the same kind
    assert again.data.source == made.data.source


def test_a_recipe_in_python_is_told_the_same(tmp_path: Path) -> None:
    source = FilesConfig(table(tmp_path, "Befund"))
    made = recipe("clip")
    data = made.data.replace(source=source)
    with pytest.raises(
        WeftError,
        match=r"streams 'image', 'text' need columns with these names, the rows have Bild .*; "
        r"name them with --columns image=COLUMN,text=COLUMN",
    ):
        require_streams(made.replace(data=data), source.open(None))
    other = data.replace(streams={"text": data.streams["text"]})
    with pytest.raises(WeftError, match=r"stream 'text' needs a column 'text', the rows have Bild"):
        require_streams(made.replace(data=other), source.open(None))
    mixed = data.replace(streams={"image": data.streams["image"], "title": data.streams["text"]})
    ways = "name them with --columns image=COLUMN and the recipe's data.streams"
    with pytest.raises(WeftError, match=ways):
        require_streams(made.replace(data=mixed), source.open(None))
    either = data.replace(optional=("image", "text"))
    with pytest.raises(WeftError, match="streams 'image', 'text' need columns"):
        require_streams(made.replace(data=either), source.open(None))  # they are compared
    require_streams(made.replace(data=either, objectives={}), source.open(None))


def test_what_is_said_needs_a_table() -> None:
    with pytest.raises(WeftError, match="need the table: --data PATH"):
        on_files(recipe("clip"), None, Said({"image": "Bild"}))


def test_new_files_need_no_group(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A group is needed to divide rows and to train, not to measure rows that have none."""
    columns = {"group": "Station", "image": "Bild", "text": "Befund"}
    before = recipe("clip")
    trained = before.replace(
        data=before.data.replace(source=FilesConfig(tmp_path / "old.jsonl", columns=columns))
    )
    path = table(tmp_path, "Befund")
    with pytest.raises(WeftError, match="unknown column 'Station'"):
        on_files(trained, path).data.source.open(None)
    with caplog.at_level(logging.WARNING):
        made = on_new_files(trained, path)
    assert made.data.source == FilesConfig(path, columns={"image": "Bild", "text": "Befund"})
    assert len({row.id for row in made.data.source.open(None)}) == len(TEXTS)
    assert caplog.text.count("has no column 'Station', the group of the training rows") == 1
    for said in (Said({"group": "Patient"}), Said({"group": "nothing"})):
        assert on_new_files(trained, path, said) == on_files(trained, path, said)


def test_other_files_are_read_in_the_form_of_the_recipe(tmp_path: Path) -> None:
    """Their rows are aligned and have hidden words as those of training; a join or a fold was of the recipe's own files."""
    table = tmp_path / "own.jsonl"
    rows = [
        {"image": f"{n}.jpg", "text": ["a red star", "a ring"], "machine": ["x", "y"]}
        for n in range(3)
    ]
    table.write_text("\n".join(map(json.dumps, rows)) + "\n")
    before = recipe("scenes")
    source = FilesConfig(
        table,
        columns={"text": "text", "machine": "text"},
        aligned=("text", "machine"),
        hidden={"text": "red|blue"},
        held_out={"fold": "1"},
    )
    made = on_files(before.replace(data=before.data.replace(source=source)), table)
    found = made.data.source.files
    assert found is not None
    assert (found.aligned, found.hidden) == (source.aligned, source.hidden)
    assert found.held_out == {}
    opened = found.open(None)
    assert len(opened) == 6
    assert "red" not in opened[0].items["text"]
