"""Lists that are aligned item by item, and words that are hidden."""

import json
from pathlib import Path

import pytest

from weft.core.errors import DataError, WeftError
from weft.core.media import Alternatives
from weft.core.samples import Sample
from weft.data.aligned import Aligned
from weft.data.hidden import HIDDEN, Hidden, words_pattern
from weft.data.sources import FilesConfig

ROWS = [
    {"id": "p0", "split": "train", "english": ["a red dog", "a Dog"], "machine": ["红狗", "狗"]},
    {"id": "p1", "split": "test", "english": ["a cat"], "machine": ["猫"], "human": ["一只猫"]},
]


def table(folder: Path, rows: list[dict[str, object]] = ROWS) -> Path:  # type: ignore[assignment]
    path = folder / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)) + "\n")
    return path


def source(folder: Path, **more: object) -> FilesConfig:
    aligned = ("english", "machine", "human")
    return FilesConfig(table(folder), aligned=aligned, **more)  # type: ignore[arg-type]


def test_each_item_is_a_row_of_its_own(tmp_path: Path) -> None:
    rows = source(tmp_path).open("train")
    assert [(r.id, r.group, r.match_name) for r in rows] == [
        ("p0#0", "p0", "p0#0"),
        ("p0#1", "p0", "p0#1"),
    ]
    assert [(r.items["english"], r.items["machine"]) for r in rows] == [
        ("a red dog", "红狗"),
        ("a Dog", "狗"),
    ]
    (tested,) = source(tmp_path).open("test")
    assert tested.items["human"] == "一只猫"
    assert len(source(tmp_path).open_every()) == 3


@pytest.mark.parametrize(
    ("items", "said"),
    [
        ({"english": ["a", "b"], "machine": ["甲"]}, "2 of 'english', 1 of 'machine'"),
        ({"english": []}, "0 of 'english'"),
        ({"other": 1}, "none in english, machine, expected as many"),
        ({"english": "a dog"}, "'english' is a str, expected a list"),
    ],
)
def test_what_cannot_be_aligned_is_an_error_of_the_row(items: dict, said: str) -> None:
    whole = {"english": ["a"], "machine": ["甲"]}
    rows = [Sample(str(n), str(n), one, f"made:{n + 1}") for n, one in enumerate((whole, items))]
    found = Aligned(rows, ("english", "machine"))
    assert len(found) == 2
    assert found[0].items == {"english": "a", "machine": "甲"}
    with pytest.raises(DataError, match=said) as caught:
        found[1]
    assert str(caught.value).startswith("made:2: ")


def test_words_are_hidden_in_all_rows(tmp_path: Path) -> None:
    hiding = source(tmp_path, hidden={"english": "dog|red|hot dog"})
    assert [row.items["english"] for row in hiding.open("train")] == [
        f"a {HIDDEN} {HIDDEN}",
        f"a {HIDDEN}",
    ]
    assert hiding.open("test")[0].items["english"] == "a cat"


def test_whole_words_the_longest_first_and_parts_of_texts_without_blanks() -> None:
    pattern = words_pattern(["dog", "hot dog", "红色", "粉红色"])
    assert pattern.sub("_", "Hot dog, dogs and a dog") == "_, dogs and a _"
    assert pattern.sub("_", "粉红色的狗和红色的") == "_的狗和_的"


def test_several_texts_and_rows_without_one() -> None:
    items = [{"text": Alternatives(["a dog", "a cat"])}, {"text": None}, {}]
    rows = [Sample(str(n), str(n), one, f"made:{n + 1}") for n, one in enumerate(items)]
    found = Hidden(rows, "text", ["dog"])
    assert found[0].items["text"] == Alternatives([f"a {HIDDEN}", "a cat"])
    assert [found[n].items for n in (1, 2)] == items[1:]


def test_unknown_columns_and_no_words_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(WeftError, match="unknown column of hidden words 'englsh'.*english"):
        source(tmp_path, hidden={"englsh": "dog"}).open("train")
    with pytest.raises(WeftError, match="got no words"):
        source(tmp_path, hidden={"english": ""}).open("train")
