"""Rows of a recipe from files: which rows are of which split, and what becomes of those that are bad."""

import json
import logging
import os
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image

from weft.core.errors import DataError, WeftError
from weft.data import sources
from weft.data.formats import Chained
from weft.data.policy import ErrorPolicy
from weft.data.prepare.split import SplitConfig
from weft.data.sources import FilesConfig
from weft.recipes import recipe
from weft.runs.parts import open_split

SPLITS = ("train", "validation", "test")


def table(path: Path, splits: Sequence[str | None], rows_a_group: int = 1) -> Path:
    """Rows 0, 1, ... as JSON lines; so many after one another are of one group."""
    rows = [
        {"id": str(n), "text": f"t{n}", "group": f"g{n // rows_a_group}", "split": split}
        for n, split in enumerate(splits)
    ]
    path.write_text("\n".join(map(json.dumps, rows)) + "\n")
    return path


def ids(source: FilesConfig) -> dict[str, set[str]]:
    return {split: {sample.id for sample in source.open(split)} for split in SPLITS}


def test_rows_without_splits_are_divided_by_group(tmp_path: Path) -> None:
    """No group is torn, every row is in one split, the shares are about those asked for, and another
    seed divides otherwise."""
    path = table(tmp_path / "t.jsonl", [None] * 2000, rows_a_group=5)
    found = {split: list(FilesConfig(path).open(split)) for split in SPLITS}
    groups = {split: {s.group for s in rows} for split, rows in found.items()}
    assert sum(map(len, found.values())) == 2000
    assert sum(map(len, groups.values())) == len(set.union(*groups.values())) == 400
    assert all(25 <= len(groups[split]) <= 55 for split in ("validation", "test"))
    assert all(s.items["split"] == split for split, rows in found.items() for s in rows)
    other = FilesConfig(path, division=SplitConfig(seed=1))
    assert ids(other)["test"] != {s.id for s in found["test"]}
    none = FilesConfig(path, division=SplitConfig(test=0.5))
    assert 170 <= len({s.group for s in none.open("test")}) <= 230


def test_the_split_of_a_group_does_not_depend_on_other_groups(tmp_path: Path) -> None:
    few = ids(FilesConfig(table(tmp_path / "few.jsonl", [None] * 50)))
    many = ids(FilesConfig(table(tmp_path / "many.jsonl", [None] * 500)))
    assert all(few[split] <= many[split] for split in SPLITS)


def test_too_few_groups_are_said(tmp_path: Path) -> None:
    path = table(tmp_path / "one.jsonl", [None] * 40, rows_a_group=40)
    assert len(FilesConfig(path).open("train")) == 40
    for split in ("validation", "test"):
        with pytest.raises(
            WeftError, match=f"1 groups are too few .* split '{split}': write each row"
        ):
            FilesConfig(path).open(split)


def test_files_whose_names_are_no_text_are_divided(tmp_path: Path) -> None:
    for n in range(40):
        name = os.fsencode(tmp_path) + b"/\xff%d.png" % n
        Image.new("RGB", (4, 4), (n, 0, 0)).save(os.fsdecode(name))
    assert sum(len(FilesConfig(tmp_path).open(split)) for split in SPLITS) == 40


def test_marked_rows_stay_and_the_others_follow_their_group(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Rows 0 to 99 in groups of 2; the second row of the last ten groups is marked as test."""
    marks = ["test" if n >= 80 and n % 2 else None for n in range(100)]
    path = table(tmp_path / "t.jsonl", marks, rows_a_group=2)
    found = ids(FilesConfig(path))
    assert found["test"] == {str(n) for n in range(80, 100)}
    assert len(found["train"]) + len(found["validation"]) == 80
    assert 0 < len(found["validation"]) < 30
    line = f"{path}: 90 of 100 rows have no split: 10 to test, {len(found['train'])} to train, "
    assert caplog.text.count(line) == 1


def test_a_split_that_a_few_groups_make_lopsided_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One of three speakers has 80 of 100 rows, and is the test split; 200 speakers are divided well."""
    speakers = ["jan"] * 80 + ["eva"] * 10 + ["tom"] * 10
    path = tmp_path / "few.jsonl"
    path.write_text("\n".join(json.dumps({"text": "hello", "group": one}) for one in speakers))
    ids(FilesConfig(path))
    line = (
        f"{path}: 3 groups (jan 80%, eva 10%, tom 10%) stay whole, so the splits have other shares of the rows than "
        "asked for (in brackets): train 10% (80%), validation 10% (10%), test 80% (10%)"
    )
    assert caplog.text.count(line) == 1
    ids(FilesConfig(table(tmp_path / "many.jsonl", [None] * 600, rows_a_group=3)))
    ids(FilesConfig(table(tmp_path / "single.jsonl", [None] * 5)))
    assert caplog.text.count("stay whole") == 1


@pytest.mark.parametrize("marked", ["train", "validation", "test"])
def test_no_marked_row_is_in_another_split(tmp_path: Path, marked: str) -> None:
    path = table(tmp_path / "t.jsonl", [marked if n < 30 else None for n in range(120)])
    found = ids(FilesConfig(path))
    own = {str(n) for n in range(30)}
    assert own <= found[marked]
    assert all(not own & found[split] for split in SPLITS if split != marked)
    if marked != "train":
        assert found[marked] == own


def test_train_and_test_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A share of the training groups is for validation; the test rows stay."""
    splits = ["test" if n >= 300 else "train" for n in range(400)]
    path = table(tmp_path / "t.jsonl", splits, rows_a_group=3)
    groups = defaultdict(set)
    for split in SPLITS:
        for sample in FilesConfig(path).open(split):
            groups[split].add(sample.group)
            assert sample.items["split"] == split
    assert groups["test"] == {f"g{n}" for n in range(100, 134)}
    assert 4 <= len(groups["validation"]) <= 20
    assert not groups["train"] & groups["validation"]
    assert len(groups["train"] | groups["validation"]) == 100
    assert f"{path}: there is no validation split: " in caplog.text
    kept = FilesConfig(path, division=SplitConfig(validation=0.0))
    assert len(kept.open("train")) == 300
    with pytest.raises(WeftError, match="unknown split 'validation': known: test, train"):
        kept.open("validation")


def test_whole_splits_are_left_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = table(tmp_path / "t.jsonl", ["train", "validation", "test", "extra"] * 5)
    assert [len(FilesConfig(path).open(split)) for split in (*SPLITS, "extra")] == [5] * 4
    assert len(FilesConfig(path).open(None)) == 20
    assert caplog.text == ""
    redo = FilesConfig(path, division=SplitConfig(redo=True, validation=0.4, test=0.4))
    assert sum(map(len, ids(redo).values())) == 20


def test_rows_whose_group_is_in_a_stronger_split_are_left_out_where_asked(tmp_path: Path) -> None:
    path = table(tmp_path / "t.jsonl", ["train", "test", "train", "validation"], rows_a_group=2)
    assert ids(FilesConfig(path))["train"] == {"0", "2"}
    strict = FilesConfig(path, division=SplitConfig(drop_leaks=True))
    assert ids(strict) == {"train": set(), "validation": {"3"}, "test": {"1"}}


def bad_table(folder: Path, kind: str) -> Path:
    """Ten rows, of which the fourth is no row."""
    if kind == "jsonl":
        rows = [json.dumps({"image": f"{n}.png", "text": f"t{n}"}) for n in range(10)]
        rows[3] = '{"image": '
    else:
        comma = "\t" if kind == "tsv" else ","
        rows = [f"{n}.png{comma}t{n}" for n in range(10)]
        rows[3] = "3.png"
        rows.insert(0, f"image{comma}text")
    path = folder / f"t.{kind}"
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl"])
def test_a_line_that_is_no_row_goes_the_way_of_the_policy(
    tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = bad_table(tmp_path, kind)
    where = f"{path}:{4 if kind == 'jsonl' else 5}"
    with pytest.raises(DataError, match=f"^{where}: "):
        FilesConfig(path).open(None)
    skip = ErrorPolicy("skip", limit=0.2)
    with caplog.at_level(logging.WARNING, "weft.data"):
        for split in (None, "train"):
            FilesConfig(path).open(split, skip)
    assert len(FilesConfig(path).open(None, skip)) == 9
    assert caplog.text.count(f"left out: {where}: ") == 1
    with pytest.raises(WeftError, match=f"1 of 10 rows is bad, more than the limit .*: {where}"):
        FilesConfig(path).open(None, ErrorPolicy("skip", limit=0.05))
    kept = tmp_path / "kept"
    quarantine = ErrorPolicy("quarantine", folder=kept, limit=0.2)
    for _ in range(2):
        assert len(FilesConfig(path).open(None, quarantine)) == 9
    (line,) = (kept / "errors.jsonl").read_text().splitlines()
    assert json.loads(line)["source"] == where


def test_joined_files_have_the_same_policy(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("image,text\n" + "".join(f"{n}.png,t{n}\n" for n in range(10)))
    other = bad_table(tmp_path, "jsonl")
    source = FilesConfig(path, joined={"text_zh": other})
    with pytest.raises(DataError, match="is not JSON"):
        source.open(None)
    dataset = source.open(None, ErrorPolicy("skip", limit=0.2))
    assert dataset[0].items["text_zh"] == "t0"
    with pytest.raises(DataError, match=r"has no row of '3.png'"):
        dataset[3]


def test_a_table_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, opened = table(tmp_path / "rows.jsonl", SPLITS), []
    read = sources.open_dataset
    monkeypatch.setattr(sources, "open_dataset", lambda *a, **k: opened.append(a) or read(*a, **k))
    with sources.read_once(), sources.read_once():
        assert [len(FilesConfig(path).open(split)) for split in (*SPLITS, None)] == [1, 1, 1, 3]
        assert len(opened) == 1
        FilesConfig(path, columns={"text": "text"}).open(None)  # otherwise said, otherwise read
        assert len(opened) == 2
    FilesConfig(path).open(None)
    assert len(opened) == 3


def test_a_table_with_bad_rows_is_read_each_time(tmp_path: Path) -> None:
    source = FilesConfig(bad_table(tmp_path, "jsonl"))
    with sources.read_once():
        assert len(source.open(None, ErrorPolicy("skip", limit=0.5))) == 9
        with pytest.raises(DataError):
            source.open(None)


def test_rows_of_a_value_are_held_out(tmp_path: Path) -> None:
    rows = [
        {"id": str(n), "text": f"t{n}", "fold": n % 5, "group": f"g{n // 10}", "split": "train"}
        for n in range(200)
    ]
    path = tmp_path / "t.jsonl"
    path.write_text("\n".join(json.dumps({**row, "group": row["id"]}) for row in rows) + "\n")
    found = ids(FilesConfig(path, held_out={"fold": "3"}))
    assert found["test"] == {str(n) for n in range(3, 200, 5)}
    assert 5 <= len(found["validation"]) <= 35
    assert found["train"] | found["validation"] == {str(n) for n in range(200)} - found["test"]
    # Rows of a group that is partly held out are held out, too.
    path.write_text("\n".join(map(json.dumps, rows)) + "\n")
    with pytest.raises(WeftError, match="20 groups are too few to divide"):
        FilesConfig(path, held_out={"fold": "3"}).open("train")
    for held_out, message in (
        ({"fold": "9"}, "unknown fold '9'"),
        ({"ward": "3"}, "held_out names column 'ward', which no row has"),
        ({"split": "train"}, "leaves 0 rows for training and 200 for the test"),
    ):
        with pytest.raises(WeftError, match=message):
            FilesConfig(path, held_out=held_out).open("train")


def test_rows_of_several_values_are_held_out(tmp_path: Path) -> None:
    kinds = ("dog", "rain", "sea", "fire")
    path = tmp_path / "t.jsonl"
    rows = [{"id": str(n), "text": kinds[n % 4], "kind": kinds[n % 4]} for n in range(80)]
    path.write_text("\n".join(map(json.dumps, rows)) + "\n")

    def kinds_of(held_out: str) -> set[str]:
        test = FilesConfig(path, held_out={"kind": held_out}).open("test")
        return {sample.items["kind"] for sample in test}

    assert kinds_of("dog|fire") == {"dog", "fire"}
    with pytest.raises(WeftError, match="unknown kind 'cat'"):
        kinds_of("dog|cat")


def test_values_are_exchanged_as_a_control(tmp_path: Path) -> None:
    kinds = ("dog", "rain", "sea", "fire", "wind")
    path = tmp_path / "t.jsonl"
    rows = [{"id": str(n), "text": kinds[n % 5], "kind": kinds[n % 5]} for n in range(100)]
    path.write_text("\n".join(map(json.dumps, rows)) + "\n")

    def names(seed: int) -> dict[str, str]:
        found: dict[str, set[str]] = {kind: set() for kind in kinds}
        source = FilesConfig(path, held_out={"kind": "dog|sea"}, shuffled={"text": seed})
        for split in ("train", "validation", "test"):
            for sample in source.open(split):
                found[sample.items["kind"]].add(sample.items["text"])
        assert {len(said) for said in found.values()} == {1}  # in all splits the same
        return {kind: said.pop() for kind, said in found.items()}

    assert sorted(names(1).values()) == sorted(kinds)
    assert all(kind != said for kind, said in names(1).items())
    assert names(1) == names(1)
    assert len({tuple(names(seed).values()) for seed in range(5)}) > 1
    with pytest.raises(WeftError, match="column 'ward' has 0 different texts"):
        FilesConfig(path, shuffled={"ward": 1}).open("test")


def test_data_sets_one_after_another(tmp_path: Path) -> None:
    source = FilesConfig(table(tmp_path / "t.jsonl", ["train", "test", "validation", "test"]))
    both = Chained([source.open("test"), source.open("validation")])
    assert [sample.id for sample in both] == ["1", "3", "2"]
    assert both[-1].id == both[2].id == "2"
    assert both.splits == ["test", "test", "validation"]
    with pytest.raises(IndexError):
        both[3]


def test_splits_with_a_plus_between_them(tmp_path: Path) -> None:
    path = table(tmp_path / "t.jsonl", ["train", "test", "validation", "test"])
    made = recipe("clip")
    made = made.replace(data=made.data.replace(source=FilesConfig(path)))

    def ids(split: str) -> list[str]:
        return [sample.id for sample in open_split(made, split)]

    assert ids("test+validation") == ids("test + dev+val") == ["1", "3", "2"]
    assert ids("test+all") == ids("all") == ["0", "1", "2", "3"]  # no row twice
    for wrong in ("test+", "+", "+test"):
        with pytest.raises(WeftError, match="expected the name of a split on both sides"):
            ids(wrong)
