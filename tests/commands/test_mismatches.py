"""`weft data check --mismatches RUN` finds captions of other pictures, and `weft data prepare` leaves them out."""

import csv
import json
import shutil
from pathlib import Path

import pytest
from tiny_runs import caption, caption_table, done, flags, read_rows, refused, write_rows

from weft.core.tensors import read_tensors
from weft.data.prepare.clean import mismatched
from weft.runs.mismatches import Mismatches, PairFound

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
    Mismatches(("image", "text"), "similarity", 0.05, 20, pairs).save(tmp_path / "found.csv")
    named = mismatched(tmp_path / "found.csv")
    assert named == {pair.id: {pair.text} for pair in pairs}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--false-alarms", "0.1"), "--false-alarms needs --mismatches RUN"),
        (("--mismatches", "nowhere"), "nowhere"),
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
    for of in (run, found[0]):
        words = ("--mismatches", of, "--false-alarms", rate, "--out", card)
        message = refused("data", "check", found[1], *words, after_steps=True)
        assert "expected a share between 0 and 1" in message or "too few" in message
    assert not card.exists()
    assert not (run / "detectors" / "mismatch.safetensors").exists()


def test_a_file_that_names_no_captions_is_refused(found: tuple[Path, Path], tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text("id,words\n1,a\n")
    message = refused(
        "data", "prepare", found[1], "--out", tmp_path / "out", "--clean.without", other
    )
    assert f"{other}: has no column text, alarm" in message
    assert not (tmp_path / "out").exists()
