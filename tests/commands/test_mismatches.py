"""`weft data check --mismatches RUN` finds captions of other pictures, and `weft data prepare` leaves them out."""

import csv
import json
import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_runs import caption, caption_table, done, flags, read_rows, refused, write_rows

import weft
from weft.commands._anomalies import _novelty
from weft.core.language import speaking
from weft.core.tensors import read_tensors
from weft.data.formats import Said
from weft.data.prepare.clean import mismatched
from weft.runs.mismatches import Mismatches, PairFound
from weft.runs.novelty import find_novelty, novelty_detector, rows_compared

COUNT, SWAPPED = 45, (3, 7)
ALARM = 0.2


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run that has learned its pictures by heart, and a copy of its table in which two captions changed places."""
    root = tmp_path_factory.mktemp("mismatches")
    table = caption_table(root / "mine", COUNT)
    rows = read_rows(table)
    for row in rows[-10:]:  # enough rows to set a threshold by
        row["split"] = "validation"
    write_rows(table, rows)
    learned = flags(run__steps=80, run__batch_size=35, optim__lr=1e-2, optim__ema="None")
    size = ("--data.streams.image.size", "32", "--data.test", "validation")
    done("train", "scenes", "--data", table, *learned, *size, "--out", root / "run")
    one, other = (rows[n] for n in SWAPPED)
    one["captions"], other["captions"] = other["captions"], one["captions"]
    write_rows(root / "mine" / "swapped.jsonl", rows)
    return root / "run", root / "mine" / "swapped.jsonl"


def checked(found: tuple[Path, Path], out: Path, *more: object) -> tuple[str, list[dict[str, str]]]:
    run, table = found
    said = done("data", "check", table, "--mismatches", run, "--out", out, *more)
    with (out / "mismatches.csv").open(encoding="utf-8", newline="") as file:
        return said, list(csv.DictReader(file))


def test_captions_that_changed_places_are_the_strangest(
    found: tuple[Path, Path], tmp_path: Path
) -> None:
    said, rows = checked(found, tmp_path, "--false-alarms", ALARM)
    assert len(rows) == COUNT
    trained = [row for row in rows if int(row["id"]) < COUNT - 10]
    assert {row["id"] for row in trained[:2]} == {str(n) for n in SWAPPED}
    assert {row["text"] for row in trained[:2]} == {caption(n) for n in SWAPPED}
    assert "swapped.jsonl:4" in {row["source"].rpartition("/")[2] for row in trained[:2]}
    values = [float(row["p_value"]) for row in rows]
    assert values == sorted(values)
    assert [row["alarm"] for row in rows] == ["yes" if p <= ALARM else "no" for p in values]
    alarms = sum(row["alarm"] == "yes" for row in rows)
    assert f"may not belong together: {alarms} of {COUNT}" in said
    page = (tmp_path / "mismatches.html").read_text(encoding="utf-8")
    assert page.count("<h3>") == alarms
    number = int(rows[0]["id"])
    picture = str(found[1].parent / f"p{number:02d}.png")
    pair = weft.load(found[0]).embed(image=picture, text=rows[0]["text"])
    assert isinstance(pair, dict)
    cosine = float((pair["image"] * pair["text"]).sum())
    first = page.partition("<h3>")[2].partition("</h3>")[0]
    assert first == f"negative cosine ({-cosine:.3f}), {rows[0]['source']}"


def test_another_rate_needs_no_training_rows(found: tuple[Path, Path], tmp_path: Path) -> None:
    """What was fitted is kept beside the run; the rate is no part of it."""
    run, table = found
    _, before = checked(found, tmp_path / "first", "--false-alarms", ALARM)
    moved, elsewhere = tmp_path / "moved", tmp_path / "other"
    shutil.copytree(run, moved)
    shutil.copytree(table.parent, elsewhere)
    recipe = json.loads((moved / "recipe.json").read_text())
    recipe["data"]["source"]["path"] = str(tmp_path / "gone.jsonl")
    (moved / "recipe.json").write_text(json.dumps(recipe))
    _, after = checked(
        (moved, elsewhere / "swapped.jsonl"), tmp_path / "second", "--false-alarms", 0.5
    )
    assert [row["p_value"] for row in after] == [row["p_value"] for row in before]
    assert sum(r["alarm"] == "yes" for r in after) > sum(r["alarm"] == "yes" for r in before)
    kept = moved / "detectors" / "mismatch.safetensors"
    assert read_tensors(kept)[1]["streams"] == ["image", "text"]
    kept.unlink()
    message = refused(
        "data", "check", elsewhere / "swapped.jsonl", "--mismatches", moved, after_steps=True
    )
    assert "training rows are not available" in message


def as_table(path: Path, rows: list[Any]) -> Path:
    """A CSV of pictures with their first caption."""
    lines = [f"{row['id']},{row['image']},{(row['captions'] or [''])[0]}" for row in rows]
    path.write_text("\n".join(["id,image,captions", *lines]) + "\n")
    return path


def test_pairs_that_lack_a_part_are_counted(found: tuple[Path, Path], tmp_path: Path) -> None:
    run, table = found
    rows = read_rows(table)
    rows[0]["captions"], rows[1]["captions"], rows[2]["image"] = [], [], ""
    lacking = as_table(table.parent / "lacking.csv", rows)
    said, pairs = checked((run, lacking), tmp_path, "--false-alarms", ALARM)
    assert "not compared, no image or no text that can be read: 3 rows" in said
    assert {row["id"] for row in rows[3:]} == {pair["id"] for pair in pairs}


def test_a_page_is_of_the_last_search(
    found: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is removed where nothing is an alarm any more. The data are not replaced by what is found in them."""
    run, table = found
    out = tmp_path / "card"
    out.mkdir()
    monkeypatch.chdir(out)
    checked(found, Path("."), "--false-alarms", ALARM)
    page = out / "mismatches.html"
    assert "<title>Alarms: card</title>" in page.read_text(encoding="utf-8")
    rows = [row for row in read_rows(table) if int(row["id"]) not in SWAPPED][:20]
    write_rows(table.parent / "right.jsonl", rows)
    said, _ = checked((run, table.parent / "right.jsonl"), out, "--false-alarms", ALARM)
    assert "may not belong together: 0 of 20" in said
    assert not page.exists()
    pairs = out / "mismatches.csv"
    before = pairs.read_bytes()
    words = ("--mismatches", run, "--false-alarms", ALARM, "--out", out)
    line = refused("data", "check", pairs, *words, after_steps=True)
    assert "mismatches.csv: is read by this command and would be replaced" in line
    assert pairs.read_bytes() == before


def test_rows_unlike_the_training_rows_are_listed(found: tuple[Path, Path], tmp_path: Path) -> None:
    """The mean cosine distance to the tenth nearest training row; also where the training rows are gone."""
    run, table = found
    rows = read_rows(table)[: COUNT - 10]
    random.Random(0).shuffle(rows)
    rows[1]["image"], rows[2]["image"], rows[2]["captions"] = "", "", []
    new = as_table(table.parent / "new.csv", rows)
    moved = tmp_path / "moved"
    for folder in (run, moved):
        words = ("--novelty", folder, "--false-alarms", ALARM, "--out", tmp_path / "card")
        said = done("data", "check", new, *words)
        with (tmp_path / "card" / "novelty.csv").open(encoding="utf-8", newline="") as file:
            listed = {row["id"]: row for row in csv.DictReader(file)}
        assert {row["id"] for row in rows} - listed.keys() == {rows[2]["id"]}
        values = [float(row["p_value"]) for row in listed.values()]
        assert values == sorted(values)
        marks = [row["alarm"] for row in listed.values()]
        assert marks == ["yes" if p <= ALARM else "no" for p in values]
        alarms = marks.count("yes")
        assert f"unlike the training rows of {folder}: {alarms} of {len(rows) - 1};" in said
        assert "not compared, nothing of image, text that can be read: 1 row\n" in said
        shown = (tmp_path / "card" / "novelty.html").read_text(encoding="utf-8")
        assert shown.count("<h3>") == min(alarms, 10)
        first = next(iter(listed.values()))
        assert f"strangeness ({float(first['strangeness']):.3f}), {first['source']}" in shown
        if folder == run:
            shutil.copytree(run, moved)
            recipe = json.loads((moved / "recipe.json").read_text())
            recipe["data"]["source"]["path"] = str(tmp_path / "gone.jsonl")
            (moved / "recipe.json").write_text(json.dumps(recipe))
    learned = read_rows(table.parent / "captions.jsonl")
    trained, held_out = learned[: COUNT - 10], learned[COUNT - 10 :]
    model = weft.load(run)
    given: dict[str, Callable[[Any], Any]] = {
        "image": lambda row: str(table.parent / row["image"]),
        "text": lambda row: row["captions"][0],
    }

    def distances(rows: list[Any], streams: tuple[str, ...]) -> torch.Tensor:
        found = []
        for stream in streams:
            one, references = (
                model.embed(**{stream: [given[stream](row) for row in some]})
                for some in (rows, trained)
            )
            found.append(1 - (one @ references.T).topk(10, dim=1).values[:, -1])
        return torch.stack(found).mean(0)

    both = ("image", "text")
    for some, streams in ((rows[:1] + rows[3:], both), (rows[1:2], both[1:])):
        normal = distances(held_out, streams)  # by the streams that the row has
        for row, expected in zip(some, distances(some, streams), strict=True):
            assert float(listed[row["id"]]["strangeness"]) == pytest.approx(
                float(expected), abs=1e-4
            )
            p_value = (1 + int((normal >= expected).sum())) / (1 + len(normal))
            assert float(listed[row["id"]]["p_value"]) == pytest.approx(p_value, abs=1e-4)
    detector = novelty_detector(model, ALARM)
    of_texts = replace(detector, normal=detector.normal.only(("text",)))
    result = find_novelty(of_texts, rows_compared(model, new, Said()))
    assert ([one.id for one in result.rows], result.uncalibrated) == (
        [rows[1]["id"]],
        len(rows) - 2,
    )
    (moved / "detectors" / "novelty.safetensors").unlink()
    message = refused("data", "check", new, "--novelty", moved, after_steps=True)
    assert "training rows are not available, with which new rows are compared" in message


def test_a_table_without_the_columns_of_the_run_is_refused_first(
    found: tuple[Path, Path], tmp_path: Path
) -> None:
    """Before anything is embedded; with the table, its columns and the expected ones."""
    run, table = tmp_path / "run", tmp_path / "other.csv"
    shutil.copytree(found[0], run, ignore=shutil.ignore_patterns("detectors"))
    table.write_text("id,size,mass\n1,4,0.5\n2,5,1.5\n")
    words = ("--novelty", run, "--false-alarms", ALARM, "--out", tmp_path / "card")
    assert refused("data", "check", table, *words) == (
        f"{table}: has none of the columns that this run reads (image, text); it has: size, mass; "
        "--columns image=COLUMN names one"
    )
    table.write_text("id,text\n1,a dog\n2,a cat\n")  # pairs need both
    assert refused("data", "check", table, "--mismatches", *words[1:]) == (
        f"{table}: has none of the columns that this run reads (image); it has: text; "
        "--columns image=COLUMN names one"
    )
    assert not (run / "detectors").exists()
    assert not (tmp_path / "card").exists()


def test_rows_that_are_not_compared_are_counted(
    found: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the number of rows needed; also in Chinese."""
    run = weft.load(found[0])
    detector = novelty_detector(run, ALARM)
    few = replace(detector, normal=detector.normal.only(("text",)))
    rows = read_rows(found[1])[:2]
    rows[0]["image"], rows[1]["image"], rows[1]["captions"] = "", "", []
    recipe = rows_compared(run, as_table(found[1].parent / "two.csv", rows), Said())
    few = replace(few, normal=few.normal.take(torch.arange(3)))
    for language, lines in {
        "en": [
            "not compared, nothing of image, text that can be read: 1 row",
            "not compared, fewer than 4 validation rows have the same streams: 1 row; a larger --false-alarms needs "
            "fewer",
        ],
        "zh": [
            "未比较（没有任何可读的图片，文本）：1 行",
            "未比较（具有相同流的验证行不足 4 个）：1 行；--false-alarms 更大时所需更少",
        ],
    }.items():
        with speaking(language):
            _novelty(few, recipe, tmp_path)
        printed = [line.strip() for line in capsys.readouterr().out.splitlines()]
        assert printed[1:3] == lines


def test_named_captions_are_left_out(found: tuple[Path, Path], tmp_path: Path) -> None:
    _, rows = checked(found, tmp_path / "card", "--false-alarms", ALARM)
    named = [row for row in rows if row["alarm"] == "yes"]
    marks = ("--clean.without", tmp_path / "card" / "mismatches.csv")
    said = done("data", "prepare", found[1], "--out", tmp_path / "out", *marks)
    assert f"dropped, no caption: {len(named)}" in said
    dropped = (tmp_path / "out" / "quarantine" / "dropped.jsonl").read_text().splitlines()
    assert {json.loads(line)["id"] for line in dropped} == {row["id"] for row in named}


def test_a_caption_may_hold_any_line_break(found: tuple[Path, Path], tmp_path: Path) -> None:
    pairs = [
        PairFound(n, f"r{n}", "made", None, text, 1.0, 0.01, True)
        for n, text in enumerate(["two\nlines", "two\u2028lines", 'quoted "so"', "two\x85lines"])
    ]
    Mismatches(("image", "text"), "similarity", 0.05, 20, [], pairs, 0).save(tmp_path / "found.csv")
    named = mismatched(tmp_path / "found.csv")
    assert named == {pair.id: {pair.text} for pair in pairs}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--false-alarms", "0.1"), "--false-alarms needs --mismatches RUN or --novelty RUN"),
        (("--mismatches", "nowhere"), "nowhere"),
        (("--novelty", "nowhere"), "nowhere"),
    ],
)
def test_what_cannot_be_is_one_line(
    found: tuple[Path, Path], tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    """Before the data are read."""
    assert message in refused("data", "check", found[1], "--out", tmp_path / "card", *words)
    assert not (tmp_path / "card").exists()


@pytest.mark.parametrize("rate", ["0", "1", "nan", "0.001"])
def test_rates_that_cannot_be_are_one_line(
    found: tuple[Path, Path], tmp_path: Path, rate: str
) -> None:
    """Before the data are read, also if nothing was fitted before."""
    run, card = tmp_path / "run", tmp_path / "card"
    shutil.copytree(found[0], run, ignore=shutil.ignore_patterns("detectors"))
    for of, search in product((run, found[0]), ("--mismatches", "--novelty")):
        words = (search, of, "--false-alarms", rate, "--out", card)
        message = refused("data", "check", found[1], *words, after_steps=True)
        assert "expected a share between 0 and 1" in message or "too few" in message
    assert not card.exists()
    assert not list((run / "detectors").glob("*"))


def test_a_file_that_names_no_captions_is_refused(found: tuple[Path, Path], tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text("id,words\n1,a\n")
    message = refused(
        "data", "prepare", found[1], "--out", tmp_path / "out", "--clean.without", other
    )
    assert f"{other}: has no column text, alarm" in message
    assert not (tmp_path / "out").exists()
