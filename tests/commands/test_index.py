"""`weft index build|add|remove|verify`, and `weft search --where`."""

import csv
import re
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_runs import caption, done, flags, picture, refused, weft

from weft.index import Index
from weft.index.nonsense import nonsense
from weft.runs import cutoffs
from weft.runs.run import load

COLOURS = ("red", "blue")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run that was trained on a table with a colour, a year and a truth; and the table."""
    root = tmp_path_factory.mktemp("index")
    table = rows_at(root / "mine", range(24))
    words = flags(run__steps=2, run__batch_size=8)
    done(
        "train",
        "scenes",
        "--data",
        table,
        *words,
        "--data.streams.image.size",
        "32",
        "--out",
        root / "run",
    )
    done("index", "build", root / "run", "--data", table)
    return root / "run", table


def rows_at(folder: Path, numbers: range) -> Path:
    folder.mkdir()
    with (folder / "rows.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["id", "image", "text", "colour", "year", "fresh"])
        for n in numbers:
            picture(n).save(folder / f"p{n}.png")
            table.writerow(
                [f"row{n}", f"p{n}.png", caption(n), COLOURS[n % 2], 2010 + n % 6, str(n % 3 == 0)]
            )
    return folder / "rows.csv"


@pytest.fixture
def run(trained: tuple[Path, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained[0], tmp_path / "run"))


def found(run: Path, *words: object) -> set[str]:
    out = done("search", run, "--text", "a", "--k", 100, *words)
    return {line.split()[1] for line in out.splitlines()[1:]}


def test_filters(run: Path) -> None:
    every = {f"row{n}" for n in range(24)}
    assert found(run) == every
    assert found(run, "--where", "colour=red") == {f"row{n}" for n in range(0, 24, 2)}
    assert found(run, "--where", "colour=red", "--where", "colour=blue") == every
    years = found(run, "--where", "year=2011..2012", "--where", "colour=blue")
    assert years == {f"row{n}" for n in range(24) if n % 6 == 1}
    assert found(run, "--where", "year=2014..") == {f"row{n}" for n in range(24) if n % 6 >= 4}
    assert found(run, "--where", "fresh=true") <= every
    for words, message in (
        ("color=red", "unknown column 'color': did you mean colour"),
        ("colour", "--where is 'colour', expected COLUMN=VALUE"),
        ("year=2012..2011", "--where year is '2012..2011', expected the smaller value first"),
        ("year=old", "--where year is 'old', expected a number"),
    ):
        assert message in refused("search", run, "--text", "a", "--where", words)
    nothing = done("search", run, "--text", "a", "--where", "colour=mauve")
    assert nothing.strip() == "nothing found: no entry passes the filters"
    both = refused("search", run, "--text", "a", "--where", "year=2011", "--where", "year=2011..")
    assert both == "--where gives column 'year' a value and a range, expected one"


def test_files_are_added_and_removed(run: Path, tmp_path: Path) -> None:
    new = tmp_path / "new picture.png"
    picture(77).save(new)
    assert done("index", "add", run, new) == f"1 added, 0 replaced: {run / 'index'}\n"
    assert done("index", "add", run, new) == f"0 added, 1 replaced: {run / 'index'}\n"
    best = done("search", run, "--image", new, "--k", 1).splitlines()[1]
    assert best.startswith("1.000  new picture.png")
    out = done("index", "remove", run, "new picture.png", "new picture.png")
    assert out == f"1 removed: {run / 'index'}\n"
    said = weft("index", "remove", run, "nothing", "row3", "no'thing")
    assert (said.code, said.out) == (2, f"1 removed: {run / 'index'}\n")
    assert said.err == f"weft: {run / 'index'}: holds no entry 'nothing', \"no'thing\"\n"
    assert found(run) == {f"row{n}" for n in range(24)} - {"row3"}
    assert done("index", "verify", run).splitlines() == [
        "23 entries, 23 items",
        "0 lost, 0 without an entry, 0 damaged",
    ]
    assert done("index", "verify", run / "index").startswith("23 entries")


def test_a_file_is_in_the_index_once(
    run: Path, trained: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However its path is typed, and also if it was there from the build."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    picture(77).save("new.png")
    for typed in (["new.png", Path("new.png").absolute()], ["./new.png"], ["../here/new.png"]):
        done("index", "add", run, *typed)
    built = trained[1].parent / "p3.png"
    assert done("index", "add", run, built) == f"0 added, 1 replaced: {run / 'index'}\n"
    picture(78).save(tmp_path / "new.png")  # another file of the same name
    done("index", "add", run, tmp_path / "new.png")
    with Index.open(run / "index") as index:
        rows = {f"row{n}" for n in range(24)}
        assert set(index.ids()) - rows == {"new.png", "new.png (2)"}
        assert index.entry("row3").metadata["colour"] == "blue"
        index.add([replace(index.entry("new.png"), id="sent.png", item="sent.png", source="")])
    picture(79).save("sent.png")
    assert "0 added, 1 replaced" in done("index", "add", run, "sent.png")


def test_files_that_cannot_be_read_add_nothing(run: Path, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.png", tmp_path / "bad.png"
    picture(77).save(good)
    bad.write_bytes(good.read_bytes()[:60])
    line = refused("index", "add", run, good, bad)
    assert line.startswith(f"{bad}: picture is truncated")
    assert (
        refused("index", "add", run, tmp_path / "none.png")
        == f"{tmp_path / 'none.png'}: no such file"
    )
    assert found(run) == {f"row{n}" for n in range(24)}


def test_rows_are_added_with_their_metadata(run: Path, tmp_path: Path) -> None:
    table = rows_at(tmp_path / "more", range(20, 30))
    assert "6 added, 4 replaced" in done("index", "add", run, "--data", table)
    assert found(run, "--where", "colour=red") == {f"row{n}" for n in range(0, 30, 2)}
    with Index.open(run / "index") as index:
        assert index.entry("row29").metadata["year"] == 2015
        assert index.preview("row29").media_type == "image/png"


def test_captions_may_be_indexed(run: Path, trained: tuple[Path, Path], tmp_path: Path) -> None:
    out = done(
        *("index", "build", run, "--data", trained[1], "--stream", "text", "--kind", "flat"),
        *("--metadata", "colour", "--out", tmp_path / "texts"),
    )
    assert out.startswith(f"24 entries of stream 'text' indexed (flat): {tmp_path / 'texts'}\n")
    with Index.open(tmp_path / "texts") as index:
        assert index.entry("row5").text == caption(5)
        assert [column.name for column in index.columns()] == ["colour"]
    line = refused("index", "add", run, trained[1], "--index", tmp_path / "texts")
    assert "the index holds stream 'text', which cannot be read from single files" in line


def test_a_cut_off_that_is_kept_does_what_was_said(
    scenes_copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The nonsense by which it was made is answered as often as the line says."""
    few = done("index", "build", scenes_copy)
    assert (
        "queries by 'image', 'text' always get results, even if nothing fits: "
        "10 rows of the validation split can be used to find a minimum score, expected 20"
        in few.splitlines()
    )
    drawn: dict[str, list[str]] = {}
    monkeypatch.setattr(
        cutoffs, "nonsense", lambda kind, *words: drawn.setdefault(kind, nonsense(kind, *words))
    )
    monkeypatch.setattr(cutoffs, "FEWEST", 4)
    told = re.search(
        r"^cut-off for 'text': (.+)% of nonsense queries get results, (.+)% of real queries get none$",
        done("index", "build", scenes_copy),
        re.MULTILINE,
    )
    assert told
    vectors = load(scenes_copy, "cpu").embed(text=drawn["text"])
    with Index.open(scenes_copy / "index") as index:
        cutoff = index.cutoff("text")
        best = torch.tensor([hits[0].score for hits in index.search(vectors, 1)])
        assert 100 * (best >= cutoff.of(vectors)).double().mean() == pytest.approx(
            float(told[1]), abs=0.4
        )
    assert "even if" not in done("index", "build", scenes_copy, "--cutoff", "False")
    with Index.open(scenes_copy / "index") as index:
        assert index.cutoffs == ()


def test_mistakes(run: Path, trained: tuple[Path, Path], tmp_path: Path) -> None:
    _, table = trained
    (tmp_path / "bad.png").write_bytes(b"no picture")
    for words, message in (
        (("index", "rebuild", run), "unknown action of 'weft index' 'rebuild': did you mean build"),
        (
            ("index", "build", run, "--kind", "tree"),
            "unknown kind of index 'tree': known: flat, hnsw",
        ),
        (
            ("index", "build", run, "--data", table, "--metadata", "color"),
            "unknown column of the rows 'color'",
        ),
        (("index", "build", run, "--stream", "sound"), "sound"),
        (("index", "add", run), "got neither files nor --data PATH, or both"),
        (
            ("index", "add", run, table, "--data", table),
            "got neither files nor --data PATH, or both",
        ),
        (("index", "add", run, tmp_path / "absent.png"), "absent.png: no such file"),
        (("index", "add", run, tmp_path / "bad.png"), "bad.png"),
        (("index", "add", run, table, "--index", tmp_path), f"{tmp_path}: holds no index"),
        (("index", "remove", run), "weft index remove needs the id of an entry"),
        (("index", "remove", tmp_path, "a"), f"{tmp_path}: is not a trained run"),
        (("index", "verify", tmp_path), "is not a trained run (recipe.json is missing)"),
    ):
        assert message in refused(*words)
    assert len(found(run)) == 24


def test_damage_is_listed(run: Path) -> None:
    with closing(sqlite3.connect(run / "index" / "index.db")) as file, file:
        file.execute("UPDATE entries SET source = 'elsewhere' WHERE id = 'row3'")
    line = refused("index", "verify", run)
    assert "is incomplete; build it again with: weft index build" in line
    assert "is damaged: row 4 is not as it was written" in refused(
        "search", run, "--text", "a", "--k", 30
    )
