"""Own dialogs: one line a dialog, or one line a turn; what is wrong in one line."""

import json
from pathlib import Path
from typing import Any

import pytest

from weft.core.errors import DataError
from weft.data.formats import open_dataset

FIRST = {"question": "is there a star?", "answer": "yes"}
SECOND = {"question": "what color is it?", "answer": "red"}


def lines(folder: Path, *rows: dict[str, Any]) -> Path:
    path = folder / "dialogs.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    for name in ("a.png", "b.png"):
        (folder / name).write_bytes(b"")
    return path


@pytest.mark.parametrize("turns", [[FIRST, SECOND], [list(FIRST.values()), list(SECOND.values())]])
def test_a_line_a_dialog(tmp_path: Path, turns: list[Any]) -> None:
    path = lines(tmp_path, {"id": 7, "image": "a.png", "split": "test", "dialog": turns})
    first, second = open_dataset(path)
    assert (first.id, second.id, first.group) == ("7-1", "7-2", "a.png")
    assert second.group == first.group
    assert "history" not in first.items
    assert second.items["history"] == [FIRST]
    assert (second.items["question"], second.items["answer"]) == tuple(SECOND.values())
    assert [row.items["round"] for row in (first, second)] == [1, 2]
    assert second.items["split"] == "test"


def test_a_line_a_turn_and_dialogs_without_picture(tmp_path: Path) -> None:
    table = tmp_path / "turns.csv"
    table.write_text(
        "dialog,question,answer\nx,is there a star?,yes\ny,how many?,2\nx,what color is it?,red\n"
    )
    first, other, second = open_dataset(table)
    assert second.items["history"] == [FIRST]
    assert "history" not in other.items
    assert (first.group, other.group, second.group) == ("x", "y", "x")


@pytest.mark.parametrize(
    ("turns", "message"),
    [
        ([], "dialogs.jsonl:1: column 'dialog': the dialog is empty"),
        ([FIRST, {"question": "and?"}], "turn 2 of the dialog has no answer"),
        ([["", "yes"]], "turn 1 of the dialog has no question"),
        (
            ["is it red?", "yes"],
            "turn 1 of the dialog is 'is it red.', expected a question and its answer",
        ),
        ([[*"abc"]], "turn 1 of the dialog is"),
    ],
)
def test_says_what_is_wrong(tmp_path: Path, turns: list[Any], message: str) -> None:
    path = lines(
        tmp_path, {"image": "a.png", "dialog": turns}, {"image": "b.png", "dialog": [FIRST]}
    )
    with pytest.raises(DataError, match=message):
        open_dataset(path)
    bad: list[DataError] = []
    assert len(open_dataset(path, on_error=bad.append)) == 1
    assert len(bad) == 1


def test_a_dialog_may_be_called_0_and_a_turn_keeps_what_else_it_says(tmp_path: Path) -> None:
    turns = [
        {"question": f"q{n}", "answer": "yes", "type": f"t{n}", "dialog": "x"} for n in range(2)
    ]
    path = tmp_path / "dialogs.jsonl"
    path.write_text(json.dumps({"id": 0, "dialog": turns}) + "\n")
    rows = list(open_dataset(path))
    assert [row.items["type"] for row in rows] == ["t0", "t1"]
    assert [row.items["dialog"] for row in rows] == ["0", "0"]
    assert rows[1].items["history"] == [{"question": "q0", "answer": "yes"}]
    split = [{"dialog": 0, **{k: v for k, v in turn.items() if k != "dialog"}} for turn in turns]
    path.write_text("\n".join(map(json.dumps, split)) + "\n")
    assert [row.items["round"] for row in open_dataset(path)] == [1, 2]
