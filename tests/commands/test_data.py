"""`weft data check` and `weft data prepare`, and training on what was prepared."""

import json
import shutil
from pathlib import Path

import pytest
from tiny_runs import (
    caption_table,
    contents,
    done,
    flags,
    picture,
    picture_folder,
    read_rows,
    refused,
    unchanged,
    weft,
    write_rows,
)


def counts(out: str) -> dict[str, str]:
    """The lines `name: value` of a summary."""
    pairs = (line.strip().split(": ", 1) for line in out.splitlines() if ": " in line)
    return dict(pairs)


def test_check_says_what_is_there_and_writes_a_card(tmp_path: Path) -> None:
    table = caption_table(tmp_path / "mine")
    with unchanged(tmp_path / "mine"):
        found = counts(done("data", "check", table, "--out", tmp_path / "card"))
    assert found["captions.jsonl"] == "30 rows, 30 pictures, 30 captions, 30 groups"
    assert found["train"] == "20 rows, 20 captions"
    assert (found["cannot be used"], found["leaks between splits"]) == ("0", "0")
    card = json.loads((tmp_path / "card" / "card.json").read_text())
    assert card
    page = (tmp_path / "card" / "card.html").read_text(encoding="utf-8")
    assert "data:image/" in page
    assert 'src="http' not in page


def test_the_current_folder_has_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(caption_table(tmp_path / "mine").parent)
    assert "data card: runs/mine-card/card.html" in done("data", "check", ".")
    assert (tmp_path / "mine" / "runs" / "mine-card" / "card.html").exists()


def own_table(folder: Path, missing: bool = False) -> Path:
    """Pictures with reports under other names than weft's; `missing`: the pictures are not there."""
    picture_folder(folder / "images")
    names = [path.name for path in sorted((folder / "images").glob("*.png"))]
    rows = [
        f"{name},Aufnahme {n} ohne Befund,{['ja', 'nein'][n % 2]}" for n, name in enumerate(names)
    ]
    (folder / "befunde.csv").write_text("\n".join(["Bild,Befund,Label", *rows]))
    if missing:
        shutil.rmtree(folder / "images")
    return folder / "befunde.csv"


def test_texts_count_whatever_their_column_is_called(tmp_path: Path) -> None:
    table = own_table(tmp_path)
    found = counts(done("data", "check", table, "--out", tmp_path / "card"))
    assert found["befunde.csv"] == "40 rows, 40 pictures, 40 texts, 40 groups"


def test_pictures_that_are_nowhere_are_refused_and_their_names_can_be_values(
    tmp_path: Path,
) -> None:
    table = own_table(tmp_path, missing=True)
    words = ("data", "check", table, "--out", tmp_path / "card")
    said = weft(*words)
    assert "none of which" not in said.out
    line = refused(*words)
    places = f"{tmp_path / 'images'} or {tmp_path}"
    assert f"column 'Bild' names pictures, none of which is in {places} (--images-dir)" in line
    assert (
        refused(
            "train", "classify", "--data", table, "--target", "Label", "--out", tmp_path / "run"
        )
        == line
    )
    done(*words, "--columns", "category=Bild")


def test_check_finds_what_is_wrong(tmp_path: Path) -> None:
    folder = caption_table(tmp_path / "mine").parent
    (folder / "p02.png").write_bytes((folder / "p02.png").read_bytes()[:60])
    shutil.copy(folder / "p03.png", folder / "p29.png")  # a training picture in the test
    out = done("data", "check", folder, "--out", tmp_path / "card")
    found = counts(out)
    assert found["cannot be used"] == "1"
    assert f"{folder / 'captions.jsonl'}:3: image: picture is truncated" in out
    assert found["exact duplicates"] == "1 pair"
    assert found["leaks between splits"] == "1"


def test_rows_with_the_same_fault_are_one_line(tmp_path: Path) -> None:
    table = caption_table(tmp_path / "mine")
    for number in range(4):
        (table.parent / f"p0{number}.png").write_text("these are words")
    out = done("data", "check", table, "--out", tmp_path / "card")
    found = [line for line in out.splitlines() if "is not a picture in a known format" in line]
    assert len(found) == 1
    assert found[0].count(table.name) == 3
    assert ", ...: " in found[0]


def test_duplicates_with_different_labels_are_a_warning(tmp_path: Path) -> None:
    folder = picture_folder(tmp_path / "mine", 12)
    rows = [f"p{n:02d}.png,{['cat', 'dog'][n % 2]}" for n in range(12)]
    table = folder / "rows.csv"
    table.write_text("\n".join(["image,label", *rows, "p00.png,dog"]) + "\n")
    out = done("data", "check", table, "--out", tmp_path / "card")
    assert "WARNING: duplicates with different labels: 1 row\n" in out
    assert f"{table}:14: the same content as {table}:2, but label 'dog' instead of 'cat'" in out
    assert "1 duplicate has another label" in (tmp_path / "card" / "card.html").read_text()
    table.write_text("\n".join(["image,label", *rows, "p00.png,cat"]) + "\n")
    assert "different labels" not in done("data", "check", table, "--out", tmp_path / "card")


def test_turns_of_a_dialog_with_a_caption_are_no_duplicates(tmp_path: Path) -> None:
    """Questions of which few are different are categories, and still decide what a duplicate is."""
    turns = [["Is there a dog?", "yes"], ["Is it blue?", "no"]]
    folder = picture_folder(tmp_path / "mine", 10)
    names = sorted(path.name for path in folder.glob("*.png"))
    rows = [{"image": name, "caption": f"picture {name}", "dialog": turns} for name in names]
    dialogs = folder / "dialogs.jsonl"
    dialogs.write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = done("data", "check", dialogs, "--out", tmp_path / "card")
    assert "question  category" in out
    assert "20 rows, 10 pictures, 40 texts" in out
    assert "WARNING" not in out


def test_a_row_without_its_caption_is_named(tmp_path: Path) -> None:
    folder = picture_folder(tmp_path / "mine", 12)
    names = sorted(path.name for path in folder.glob("*.png"))
    lines = [f"{name},{'' if n == 2 else 'a red square'}\n" for n, name in enumerate(names)]
    table = folder / "rows.csv"
    table.write_text("image,caption\n" + "".join(lines))
    out = done("data", "check", table, "--out", tmp_path / "card")
    assert counts(out)["suspicious"] == "1"
    assert "rows.csv:4: has no 'text', which most rows have" in out
    an_epoch = ("--run.steps", 4, "--run.batch-size", 8)
    raising = ("--data.errors.mode", "raise", *an_epoch)
    line = refused("train", "clip", "--data", table, "--out", tmp_path / "run", *raising)
    assert "rows.csv:4: has no 'text'" in line
    assert "--data.errors.mode skip leaves such rows out" in line


def test_a_folder_with_an_empty_table_names_the_table(tmp_path: Path) -> None:
    folder = picture_folder(tmp_path / "mine", 2)
    for captions in folder.glob("*.txt"):
        captions.unlink()
    (folder / "captions.csv").write_text("image,caption\n")
    (folder / "README.txt").write_text("Pictures of squares\n")
    line = refused("data", "check", folder)
    assert f"{folder / 'captions.csv'}: holds no rows: it has only a header" in line


def test_prepared_shards_can_be_trained_on(tmp_path: Path) -> None:
    folder = picture_folder(tmp_path / "mine", 40)
    (folder / "p05.png").write_bytes(b"")
    shutil.copy(folder / "p06.png", folder / "p07.png")
    out = done("data", "prepare", folder, "--out", tmp_path / "shards", "--workers", 1)
    found = counts(out)
    assert "40 rows in, 38 out" in out
    assert found["dropped, unreadable"] == "1"
    assert found["written"] == str(tmp_path / "shards")
    assert list((tmp_path / "shards").rglob("*.tar"))
    assert (tmp_path / "shards" / "card.html").exists()
    split = {name: int(found[name].split()[0]) for name in ("train", "validation", "test")}
    assert sum(split.values()) == 38
    done("data", "check", tmp_path / "shards", "--out", tmp_path / "card")
    run = tmp_path / "run"
    done("train", "scenes", "--data", tmp_path / "shards", *flags(), "--out", run)
    assert f"  images: {split['test']}\n" in done("evaluate", run)
    assert done("index", "build", run, "--split", "train").startswith(f"{split['train']} entries")
    assert "2 texts" not in done("search", run, "--text", "thing number 1")


def test_one_row_is_counted_in_the_singular(tmp_path: Path) -> None:
    table = caption_table(tmp_path / "mine", 1)
    out = done("data", "prepare", table, "--out", tmp_path / "shards", "--workers", 1)
    assert "1 row in, 1 out, 1 shard\n" in out
    assert ": 1 row\n" in out


def test_preparing_again_changes_nothing(tmp_path: Path) -> None:
    table = caption_table(tmp_path / "mine")
    words = ("data", "prepare", table, "--out", tmp_path / "shards", "--workers", 1)
    done(*words)
    before = contents(tmp_path / "shards")
    done(*words)
    assert contents(tmp_path / "shards") == before


def test_a_foreign_folder_is_not_overwritten(tmp_path: Path) -> None:
    table = caption_table(tmp_path / "mine")
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("years of work")
    with unchanged(tmp_path):
        line = refused("data", "prepare", table, "--out", tmp_path / "thesis")
    assert f"{tmp_path / 'thesis'}: " in line


def test_mistakes(tmp_path: Path) -> None:
    table = caption_table(tmp_path / "mine")
    (tmp_path / "empty").mkdir()
    with unchanged(tmp_path):
        for action in (("check",), ("prepare", "--out", tmp_path / "out")):
            line = refused("data", *action, tmp_path / "absent")
            assert f"{tmp_path / 'absent'}: no such file or folder" in line
            assert "an empty folder" in refused("data", *action, tmp_path / "empty")
            assert "did you mean jsonl" in refused("data", *action, table, "--format", "jsnol")
        assert "weft data check needs PATH;" in refused("data", "check")
        assert "weft data prepare needs PATH, --out PATH;" in refused("data", "prepare")
        assert "--out" in refused("data", "prepare", table)
        line = refused("data", "prepare", table, "--out", table / "o")
        assert f"{table / 'o'}: cannot be written: Not a directory" in line
        line = refused("data", "prepare", table, "--out", tmp_path / "o", "--shard-rows", 0)
        assert "shard_rows is 0" in line
        line = refused("data", "prepare", table, "--out", tmp_path / "o", "--split.test", 2)
        assert "test is 2.0, expected a share between 0 and 1" in line
        lengths = ("--clean.min-seconds", 5, "--clean.max-seconds", 3)
        line = refused("data", "prepare", table, "--out", tmp_path / "o", *lengths)
        assert "min_seconds is 5, expected at most max_seconds, 3" in line
        line = refused("data", "prepare", table, "--out", tmp_path / "o", "--engine", "dask")
        assert "'processes', 'daft', 'ray'" in line


def test_no_row_can_be_read(tmp_path: Path) -> None:
    table = write_rows(tmp_path / "rows.jsonl", ["{not json"])
    line = refused("data", "check", table, "--out", tmp_path / "card")
    assert f"{table}:1" in line
    assert not (tmp_path / "card").exists()


def test_no_row_can_be_used(tmp_path: Path) -> None:
    """The card is written all the same: it names every row."""
    table = write_rows(tmp_path / "rows.jsonl", [{"image": f"{n}.jpg", "text": "x"} for n in "ab"])
    said = weft("data", "check", table, "--out", tmp_path / "card")
    assert said.code == 2
    assert said.err.splitlines()[-1] == (
        f"weft: {table}:1: image: no such file: {tmp_path / 'a.jpg'}; no row of {table} can be used"
    )
    assert f"the folder of the files of 'image' is {tmp_path}" in said.out
    assert (tmp_path / "card" / "card.html").exists()


def test_columns_of_other_names(tmp_path: Path) -> None:
    folder = tmp_path / "Bilder"
    folder.mkdir()
    for n in range(4):
        picture(n).save(folder / f"{n}.png")
    lines = ["Bild;Befund;Patient", *(f"{n}.png;Größe {n};P{n // 2}" for n in range(4))]
    table = tmp_path / "t.csv"
    table.write_text("\n".join(lines), encoding="cp1252")
    assert "--encoding cp1252 reads" in refused("data", "check", table)
    words = (
        "--encoding",
        "cp1252",
        "--images-dir",
        "Bilder",
        "--columns",
        "text=Befund,image=Bild",
    )
    out = done("data", "check", table, *words, "--out", tmp_path / "card")
    assert "--columns group=Patient keeps them in one split" in out
    assert counts(out)["t.csv"] == "4 rows, 4 pictures, 4 captions, 4 groups"
    words = (*words[:-1], f"{words[-1]},group=Patient", "--out", tmp_path / "shards")
    assert "4 rows in, 4 out" in done("data", "prepare", table, *words)


def test_a_whole_table_of_bad_rows_is_named(tmp_path: Path) -> None:
    """Each bad row by its file and line; the good ones are still counted and kept."""
    folder = caption_table(tmp_path / "mine").parent
    good = read_rows(folder / "captions.jsonl")
    picture(99).convert("CMYK").save(folder / "cmyk.jpg")
    rows = [
        *good,
        "{not json",
        {**good[0], "id": "1"},
        {"image": "absent.png", "captions": ["x"], "id": "absent", "split": "train"},
        {"image": "p01.png", "captions": [""], "id": "empty", "split": "train"},
        {"image": "cmyk.jpg", "captions": ["word " * 20_000], "id": "long", "split": "train"},
        {"image": "cmyk.jpg", "captions": [3], "id": "number", "split": "train"},
    ]
    table = write_rows(folder / "captions.jsonl", rows)
    said = weft("data", "check", table, "--out", tmp_path / "card")
    assert said.code == 0, said.err
    for line, reason in {
        31: "is not JSON",
        32: "id '1' is already used",
        33: "absent.png",
        36: "expected a string",
    }.items():
        assert f"captions.jsonl:{line}" in said.out
        assert reason in said.out
    found = counts(said.out)
    assert (found["cannot be used"], found["suspicious"]) == ("4", "2")
    assert "captions.jsonl:34: caption without words" in said.out
    assert "captions.jsonl:35: caption of 100,000 characters" in said.out
