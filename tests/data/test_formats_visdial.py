"""Visual Dialog in the layout in which it is distributed."""

import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from weft.core.errors import DataError
from weft.data.formats import open_dataset

QUESTIONS = ["is it sunny?", "how many dogs"]
ANSWERS = ["yes", "no", "2", "i can't tell"]


def content(dialog: list[dict[str, Any]], split: str = "train", **others: Any) -> dict[str, Any]:
    return {
        "version": "1.0",
        "split": split,
        "data": {
            "questions": QUESTIONS,
            "answers": ANSWERS,
            "dialogs": [{"image_id": 378466, "dialog": dialog, **others}],
        },
    }


TURNS = [
    {"question": 0, "answer": 1, "answer_options": [0, 1, 2], "gt_index": 1},
    {"question": 1, "answer": 2, "answer_options": [2, 3, 0], "gt_index": 0},
]


def write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value), encoding="utf-8")


def test_turns_with_what_was_said_before(tmp_path: Path) -> None:
    write(tmp_path / "visdial_1.0_train.json", content(TURNS, caption="a dog runs"))
    picture = tmp_path / "val2014" / "COCO_val2014_000000378466.jpg"
    picture.parent.mkdir()
    picture.write_bytes(b"")
    first, second = open_dataset(tmp_path)
    assert (first.id, first.group, second.id) == ("378466-1", "378466", "378466-2")
    assert second.items["candidates"] == ["2", "i can't tell", "yes"]
    assert (second.items["answer"], second.items["right"]) == ("2", 0)
    assert (second.items["image"].path, second.items["split"]) == (picture, "train")
    assert "relevance" not in second.items
    assert first.items["history"] == ["a dog runs"]
    assert second.items["history"] == ["a dog runs", {"question": "is it sunny?", "answer": "no"}]
    assert second.items["question"] == "how many dogs"
    again = pickle.loads(pickle.dumps(open_dataset(tmp_path / "visdial_1.0_train.json")))
    assert list(again) == [first, second]


def test_dense_annotations_and_a_dialog_without_history(tmp_path: Path) -> None:
    write(tmp_path / "visdial_1.0_val.json", content(TURNS[:1], split="val2018"))
    dense = [{"image_id": 378466, "round_id": 1, "gt_relevance": [0.2, 1.0, 0.0]}]
    write(tmp_path / "visdial_1.0_val_dense_annotations.json", dense)
    (only,) = open_dataset(tmp_path, split="validation")
    assert only.items["question"] == "is it sunny?"
    assert "history" not in only.items
    assert only.items["relevance"] == [0.2, 1.0, 0.0]


def test_questions_of_the_test_split_have_no_answer(tmp_path: Path) -> None:
    last = {"question": 1, "answer_options": [0, 1]}
    write(tmp_path / "visdial_1.0_test.json", content([TURNS[0], last], split="test2018"))
    assert [row.id for row in open_dataset(tmp_path)] == ["378466-1"]


@pytest.mark.parametrize(
    ("turn", "message"),
    [
        (
            {"question": 9, "answer": 0},
            r"dialog\[0\]: names question 9, expected a number from 0 to 1",
        ),
        ({"question": 0, "answer": -1}, "names answer -1"),
        ({"answer": 0}, "has no 'question'"),
        ({"question": 0, "answer": 0, "answer_options": [0, 7]}, "names answer 7"),
        ({**TURNS[0], "gt_index": 3}, r"dialogs\[0\].dialog\[0\]: gt_index is 3, expected 0 to 2"),
        ({**TURNS[0], "gt_index": -1}, "gt_index is -1, expected 0 to 2"),
        ({**TURNS[0], "gt_index": 2}, r"the answer is 'no', but candidate 2 \(gt_index\) '2'"),
        ({**TURNS[0], "answer_options": []}, "the list of candidate answers is empty"),
    ],
)
def test_says_what_is_wrong(tmp_path: Path, turn: dict[str, Any], message: str) -> None:
    write(tmp_path / "visdial_1.0_train.json", content([turn]))
    with pytest.raises(DataError, match=message):
        open_dataset(tmp_path)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"gt_relevance": [0.2]}, r"annotations.json:\[0\]: has 1 relevances, expected 3, one a"),
        ({"gt_relevance": [0.2, 1.0, 2]}, "a relevance that is not a number from 0 to 1"),
        ({"gt_relevance": None}, "'gt_relevance' holds None, expected a list"),
    ],
)
def test_wrong_relevances(tmp_path: Path, row: dict[str, Any], message: str) -> None:
    write(tmp_path / "visdial_1.0_val.json", content(TURNS[:1], split="val2018"))
    dense = [{"image_id": 378466, "round_id": 1, **row}]
    write(tmp_path / "visdial_1.0_val_dense_annotations.json", dense)
    with pytest.raises(DataError, match=message):
        open_dataset(tmp_path)


def test_relevances_of_the_sample_of_the_training_split(tmp_path: Path) -> None:
    write(tmp_path / "visdial_1.0_train.json", content(TURNS))
    dense = [{"image_id": 378466, "round_id": 2, "relevance": [1.0, 0, 0.5]}]
    write(tmp_path / "visdial_1.0_train_dense_sample.json", dense)
    assert [row.items.get("relevance") for row in open_dataset(tmp_path)] == [None, [1.0, 0.0, 0.5]]
