"""Own dialogs: one line a dialog, or one line a turn; what is wrong in one line."""

import csv
import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from weft.core.errors import DataError
from weft.data.formats import Dataset, open_dataset

FIRST = {"question": "is there a star?", "answer": "yes"}
SECOND = {"question": "what color is it?", "answer": "red"}
TURNS = [FIRST, SECOND]


def lines(folder: Path, *rows: dict[str, Any]) -> Path:
    path = folder / "dialogs.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    for name in ("a.png", "b.png"):
        (folder / name).write_bytes(b"")
    return path


def table(folder: Path, header: str, rows: Iterable[Iterable[object]]) -> Path:
    path = folder / "turns.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header.split(","))
        writer.writerows(rows)
    return path


def is_the_dialog(rows: Dataset) -> None:
    """Two turns, the second with the first as its history."""
    first, second = rows
    assert "history" not in first.items
    assert second.items["history"] == [FIRST]
    assert (first.items["question"], first.items["answer"]) == tuple(FIRST.values())
    assert (second.items["question"], second.items["answer"]) == tuple(SECOND.values())
    assert [row.items["round"] for row in (first, second)] == [1, 2]


@pytest.mark.parametrize("turns", [TURNS, [list(turn.values()) for turn in TURNS]])
def test_a_line_a_dialog(tmp_path: Path, turns: list[Any]) -> None:
    path = lines(tmp_path, {"id": 7, "image": "a.png", "split": "test", "dialog": turns})
    rows = open_dataset(path)
    is_the_dialog(rows)
    first, second = rows
    assert (first.id, second.id, first.group) == ("7-1", "7-2", "a.png")
    assert second.group == first.group
    assert second.items["split"] == "test"


QUESTIONS, ANSWERS = ([turn[name] for turn in TURNS] for name in ("question", "answer"))


@pytest.mark.parametrize(
    "columns",
    [
        {"conversation": TURNS},
        {"turns": TURNS},
        {"dialog": json.dumps(TURNS)},
        {"dialog": repr(TURNS)},
        {"questions": QUESTIONS, "answers": ANSWERS},
        {"question": json.dumps(QUESTIONS), "answer": repr(ANSWERS)},
        {
            "messages": [
                {"role": role, "content": text}
                for turn in TURNS
                for role, text in zip(("user", "assistant"), turn.values(), strict=True)
            ]
        },
        {
            "conversations": [
                {"from": "human", "value": "<image>\nis there a star?"},
                {"from": "gpt", "value": "yes"},
                {"from": "human", "value": "what color is it?"},
                {"from": "gpt", "value": "red"},
            ]
        },
        {
            "messages": [
                {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": asked}]}
                if asked
                else {"role": "assistant", "content": said}
                for turn in TURNS
                for asked, said in ((turn["question"], ""), ("", turn["answer"]))
            ]
        },
    ],
)
def test_a_dialog_may_be_written_in_several_ways(tmp_path: Path, columns: dict[str, Any]) -> None:
    is_the_dialog(open_dataset(lines(tmp_path, {"image": "a.png", **columns})))


def test_a_system_message_opens_the_history(tmp_path: Path) -> None:
    messages = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "red?"}]
    (row,) = open_dataset(lines(tmp_path, {"image": "a.png", "messages": messages}))
    assert row.items["history"] == ["be brief"]
    assert "answer" not in row.items


def test_a_line_a_turn_and_dialogs_without_picture(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "dialog,question,answer",
        [("x", *FIRST.values()), ("y", "how many?", 2), ("x", *SECOND.values())],
    )
    first, other, second = open_dataset(path)
    assert second.items["history"] == [FIRST]
    assert "history" not in other.items
    assert (first.group, other.group, second.group) == ("x", "y", "x")


@pytest.mark.parametrize("header", ["dialog,round", "dialog_id,turn", "Conversation ID,Turn"])
def test_turns_are_ordered_by_their_number(tmp_path: Path, header: str) -> None:
    turns = [(name, n, f"{name}{n}?", n) for name in "xy" for n in range(12)]
    random.Random(0).shuffle(turns)
    rows = list(open_dataset(table(tmp_path, f"{header},Question,Answer", turns)))
    assert [row.items["question"] for row in rows] == [question for _, _, question, _ in turns]
    for row, (name, n, _, _) in zip(rows, turns, strict=True):
        assert row.items["round"] == n + 1
        before = [turn["question"] for turn in row.items.get("history", ())]
        assert before == [f"{name}{m}?" for m in range(n)]


@pytest.mark.parametrize(
    ("turn", "message"),
    [
        (("x", "one", "a.png"), "turns.csv:3: the turn's number is 'one', expected a whole number"),
        (("x", "", "a.png"), "turns.csv:3: the turn's number is"),
        (("x", 1, "a.png"), "turns.csv:3: dialog 'x' has turn 1 already at .*turns.csv:2"),
        (("x", 2, "b.png"), "turns.csv:3: dialog 'x' is about 'a.png' and 'b.png', expected one"),
        (("", 2, "a.png"), "turns.csv:3: column 'dialog_id' names no dialog"),
    ],
)
def test_says_which_turn_is_wrong(tmp_path: Path, turn: tuple[Any, ...], message: str) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"")
    rows = [("x", 1, "a.png", *FIRST.values()), (*turn, *SECOND.values())]
    with pytest.raises(DataError, match=message):
        open_dataset(table(tmp_path, "dialog_id,turn,image,question,answer", rows))


@pytest.mark.parametrize(
    ("turns", "message"),
    [
        ([], "dialogs.jsonl:1: the dialog is empty, expected one turn or more"),
        (None, "dialogs.jsonl:1: the dialog is None, expected a list of turns"),
        ([{"question": "and?"}, FIRST], "turn 1 of the dialog has no answer"),
        ([["", "yes"]], "turn 1 of the dialog has no question"),
        (
            ["is it red?", "yes"],
            "turn 1 of the dialog is 'is it red.', expected a question and its answer",
        ),
        ([[*"abc"]], "turn 1 of the dialog is"),
        (
            [{"role": "user", "content": "red?"}, {"role": "user", "content": "blue?"}],
            "message 2 of the dialog is by 'user', expected 'assistant'",
        ),
    ],
)
def test_says_what_is_wrong(tmp_path: Path, turns: list[Any] | None, message: str) -> None:
    path = lines(
        tmp_path, {"image": "a.png", "dialog": turns}, {"image": "b.png", "dialog": [FIRST]}
    )
    with pytest.raises(DataError, match=message):
        open_dataset(path)
    bad: list[DataError] = []
    assert len(open_dataset(path, on_error=bad.append)) == 1
    assert len(bad) == 1


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"answers": ["yes"]}, "jsonl:2: has 2 questions and 1 answers"),
        ({"answers": "yes"}, "jsonl:2: 'answer' is 'yes', expected a list"),
        ({"candidates": [["no", "yes"]]}, "'candidates' has length 1, expected 2, one for each"),
        ({"right": 1}, "jsonl:2: 'right' is 1, expected a list"),
        ({"right": [1]}, "jsonl:2: 'right' has length 1, expected 2, one for each question"),
    ],
)
def test_lists_of_a_dialog_have_one_length(
    tmp_path: Path, row: dict[str, Any], message: str
) -> None:
    good = {"questions": QUESTIONS, "answers": ANSWERS}
    with pytest.raises(DataError, match=message):
        open_dataset(lines(tmp_path, good, good | row))


def test_candidates_of_all_questions_tell_missing_answers(tmp_path: Path) -> None:
    lists = {"questions": QUESTIONS, "answers": [None, None], "right": [0, 1.0]}
    first, second = open_dataset(lines(tmp_path, {**lists, "candidates": ["yes", "red"]}))
    assert [row.items["answer"] for row in (first, second)] == ANSWERS
    assert second.items["candidates"] == ["yes", "red"]
    assert second.items["right"] == 1
    assert isinstance(second.items["right"], int)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"right": 2}, "turn 1 of the dialog has 'right' 2, expected 0 to 1"),
        ({"right": True}, "has 'right' 'True', expected 0 to 1"),
        (
            {"candidates": [], "relevance": []},
            "has 'right' 1, but its list of candidates is empty",
        ),
        ({"right": 0}, "has the answer 'yes', but candidate 0, the right one, is 'no'"),
        ({"relevance": [1]}, "turn 1 of the dialog has 2 candidates and 1 relevances"),
    ],
)
def test_candidates_that_contradict_the_turn_are_refused(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    turn = {**FIRST, "candidates": ["no", "Yes"], "right": 1, "relevance": [0, 1]}
    assert len(open_dataset(lines(tmp_path, {"dialog": [turn]}))) == 1
    with pytest.raises(DataError, match=message):
        open_dataset(lines(tmp_path, {"dialog": [turn | change]}))


def test_turns_after_a_bad_one_keep_their_number(tmp_path: Path) -> None:
    rows = [("x", *FIRST.values()), ("x", "and?", ""), ("x", *SECOND.values())]
    bad: list[DataError] = []
    _, last = open_dataset(table(tmp_path, "dialog,question,answer", rows), on_error=bad.append)
    assert last.items["round"] == 3
    assert last.items["history"] == [FIRST]
    assert "turns.csv:3: turn 2 of the dialog has no answer" in str(bad[0])


def test_the_last_turn_may_lack_its_answer(tmp_path: Path) -> None:
    path = lines(tmp_path, {"image": "a.png", "dialog": [FIRST, {"question": "and?"}]})
    _, second = open_dataset(path)
    assert "answer" not in second.items
    assert second.items["history"] == [FIRST]


@pytest.mark.parametrize(
    "row",
    [
        {"dialog": [{**FIRST, "candidates": ["no", "yes"], "right": 1, "relevance": [0, 1]}]},
        {"dialog": [{"question": "is there a star?", "answer_options": ["no", "yes"], "gt_index": 1,
                     "relevance": [0, 1]}]},
        {"questions": ["is there a star?"], "answers": ["yes"], "candidates": [["no", "yes"]],
         "right": [1], "relevance": [[0, 1]]},
        {"dialog": "x", **FIRST, "candidates": "['no', 'yes']", "right": "1", "relevance": "[0, 1]"},
    ],
)  # fmt: skip
def test_candidates_of_a_turn(tmp_path: Path, row: dict[str, Any]) -> None:
    (found,) = open_dataset(lines(tmp_path, row))
    assert found.items["candidates"] == ["no", "yes"]
    assert found.items["answer"] == "yes"
    assert found.items["right"] == 1
    assert found.items["relevance"] == [0, 1]


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
