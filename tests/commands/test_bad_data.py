"""Bad pictures, captions, tables and shards: one clear line with its place, exit code 2, no traceback, nothing lost."""

import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_runs import (
    caption_table,
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


def train_refused(data: Path, *words: object) -> str:
    """Trains on `data` long enough to see every row, which must be refused with the data as it was, if bad rows are
    not left out."""
    folder = data if data.is_dir() else data.parent
    run = folder.parent / "refused"
    with unchanged(folder):
        line = refused(
            *("train", "scenes", "--data", data, "--data.errors.mode", "raise"),
            *(*flags(run__steps=8), *words, "--out", run),
        )
    assert not (run / "model.safetensors").exists()
    return line


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def bomb(path: Path) -> None:
    """A PNG of some kilobytes that says it has 3.6 thousand million pixels."""
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes(100_000), 9)
    end = chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + end)


BAD_PICTURES: dict[str, tuple[Callable[[Path], object], str]] = {
    "truncated": (lambda p: p.write_bytes(p.read_bytes()[:70]), "truncated"),
    "empty": (lambda p: p.write_bytes(b""), "empty (0 bytes)"),
    "text": (lambda p: p.write_text("these are words"), "is not a picture in a known format"),
    "bomb": (bomb, "more pixels than"),
    "missing": (lambda p: p.unlink(), "no such file"),
}


@pytest.mark.parametrize("kind", BAD_PICTURES)
def test_a_bad_picture(kind: str, tmp_path: Path) -> None:
    table = caption_table(tmp_path / "mine")
    spoil, reason = BAD_PICTURES[kind]
    spoil(table.parent / "p03.png")
    line = train_refused(table)
    assert line.startswith(f"{table}:4: ")
    assert reason in line


def test_a_bad_picture_in_own_data_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Also by a recipe that has data of its own, and by its tasks."""
    table = caption_table(tmp_path / "mine")
    (table.parent / "p03.png").write_bytes(b"")
    words = [*flags(run__steps=8), "--out", tmp_path / "run"]
    said = weft("train", "scenes", "--data", table, *words)
    assert said.code == 0, said.err
    assert f"left out: {table}:4: picture is empty (0 bytes)" in caplog.text
    assert "left out: 1 training row, named above with the reasons" in said.out
    line = refused(
        "train", "scenes", "--data", table, *words[:-1], tmp_path / "b", "--data.errors.limit", 0
    )
    assert "more than the limit of 0.0%" in line


def test_own_data_with_bad_pictures_are_measured_and_indexed(
    scenes_run: Path, tmp_path: Path
) -> None:
    table = caption_table(tmp_path / "mine")
    (table.parent / "p03.png").write_bytes(b"")
    own = ("--data", table, "--split", "train")
    done("evaluate", scenes_run, *own, "--audit", False, "--json", tmp_path / "found.json")
    protocol = json.loads((tmp_path / "found.json").read_text())["protocol"]
    assert protocol["left_out_unreadable"] == 2  # the picture and its caption
    out = done("index", "build", scenes_run, *own, "--cutoff", False, "--out", tmp_path / "index")
    assert out.startswith("19 entries of stream 'image' indexed")


def test_cmyk_works(tmp_path: Path) -> None:
    folder = picture_folder(tmp_path / "mine")
    for path in list(folder.glob("*.png")):
        picture(1).convert("CMYK").save(path.with_suffix(".jpg"))
        path.unlink()
    done("train", "scenes", "--data", folder, *flags(run__steps=1), "--out", tmp_path / "run")


def test_bad_captions_in_files(tmp_path: Path) -> None:
    folder = picture_folder(tmp_path / "mine")
    text = folder / "p05.txt"
    text.write_text("  \n\n")
    assert f"{text}: is empty" in train_refused(folder)
    text.write_bytes(b"fine\ncaf\xe9\n")
    assert f"{text}:2: is not UTF-8" in train_refused(folder)
    text.unlink()
    assert f"{folder / 'p05.png'}: has no captions" in train_refused(folder)


def test_a_caption_of_100_000_characters_is_cut(tmp_path: Path) -> None:
    folder = picture_folder(tmp_path / "mine")
    for path in sorted(folder.glob("*.txt"))[:4]:
        path.write_text("many words " * 9_100)
    done("train", "scenes", "--data", folder, *flags(run__steps=1), "--out", tmp_path / "run")


BAD_ROWS: dict[str, tuple[object, str]] = {
    "not json": ("{not json", "is not JSON"),
    "cut off": ('{"image": "p01.png", "capt', "is not JSON"),
    "a list": ("[1, 2]", "expected a JSON object"),
    "duplicate id": ({"image": "p01.png", "captions": ["x"], "id": "1"}, "id '1' is already used"),
    "absent picture": ({"image": "gone.png", "captions": ["x"], "id": "z"}, "gone.png"),
    "empty caption": ({"image": "p01.png", "captions": ["a", ""], "id": "z"}, "is empty"),
    "no caption": ({"image": "p01.png", "captions": [], "id": "z"}, "list of captions is empty"),
    "a number": ({"image": "p01.png", "captions": [3], "id": "z"}, "expected a string"),
}


@pytest.mark.parametrize("kind", BAD_ROWS)
def test_a_bad_row(kind: str, tmp_path: Path) -> None:
    table = caption_table(tmp_path / "mine")
    row, reason = BAD_ROWS[kind]
    rows = read_rows(table)
    bad = {**row, "split": "train"} if isinstance(row, dict) else row
    write_rows(table, [*rows[:3], bad, *rows[3:]])
    line = train_refused(table)
    assert line.startswith(f"{table}:4: ")
    assert reason in line


def test_nothing_to_train_on(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "found an empty folder" in train_refused(tmp_path / "empty")
    assert "no such file or folder" in refused(
        "train", "scenes", "--data", tmp_path / "absent", "--out", tmp_path / "run"
    )
    table = caption_table(tmp_path / "mine")
    rows = read_rows(table)
    write_rows(table, [row for row in rows if row["split"] != "train"])
    assert f"{table}: unknown split 'train'" in train_refused(table)
    table.write_text("")
    assert f"{table}: holds no rows" in train_refused(table)
    line = train_refused(table, "--data.source.format", "jsonnl")
    assert "unknown format 'jsonnl': did you mean jsonl?" in line


def test_rows_without_pictures(tmp_path: Path) -> None:
    splits = ("train", "validation", "test")
    rows = [{"caption": f"words {n}", "split": splits[n % 3]} for n in range(12)]
    table = write_rows(tmp_path / "captions.jsonl", rows)
    line = refused("train", "scenes", "--data", table, *flags(), "--out", tmp_path / "run")
    assert f"{table}: stream 'image' needs a column 'image', the rows have text (text)" in line


def test_a_tar_that_is_cut_off(tmp_path: Path) -> None:
    table = caption_table(tmp_path / "mine")
    shards = tmp_path / "shards"
    done("data", "prepare", table, "--out", shards, "--workers", 1)
    (tar,) = shards.rglob("train*.tar")
    tar.write_bytes(tar.read_bytes()[: tar.stat().st_size // 2])
    before = tar.read_bytes()
    raising = ("--data.errors.mode", "raise", *flags(), "--out", tmp_path / "run")
    line = refused("train", "scenes", "--data", shards, *raising)
    assert tar.read_bytes() == before
    assert f"{tar}:" in line
    assert "cut off" in line
