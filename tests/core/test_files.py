"""A file is written whole or not at all."""

import json
import os
from pathlib import Path

import pytest

from weft.core.errors import WeftError, unknown_name
from weft.core.files import atomic_path, write_text


def test_a_failure_keeps_the_old_file_and_leaves_nothing_behind(tmp_path: Path) -> None:
    target = tmp_path / "a" / "file.txt"
    write_text(target, "old")

    def fail_halfway() -> None:
        with atomic_path(target) as path:
            path.write_text("half")
            raise RuntimeError("interrupted")

    with pytest.raises(RuntimeError):
        fail_halfway()
    assert target.read_text() == "old"
    assert [p.name for p in target.parent.iterdir()] == ["file.txt"]


def test_what_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(WeftError, match=r"file/x\.txt: cannot be written"):
        write_text(tmp_path / "file" / "x.txt", "text")


def test_of_many_names_only_the_nearest_are_shown() -> None:
    many = ["flickr8k", *(f"other{n}" for n in range(30))]
    error = unknown_name("recipe", "flikr8k", many)
    assert str(error) == (
        "unknown recipe 'flikr8k': did you mean flickr8k? 31 are known; weft list recipes lists them"
    )
    assert str(unknown_name("class", "zzz", many)) == "unknown class 'zzz': 31 are known"
    assert "weft data check PATH" in str(unknown_name("column of slices", "zzz", many))
    assert "other29" in str(unknown_name("recipe", "zzz", many[1:]))


def test_unknown_names_show_the_nearest() -> None:
    error = unknown_name("recipe", "clip_scene", ["flickr8k", "clip_scenes"])
    assert str(error) == (
        "unknown recipe 'clip_scene': did you mean clip_scenes? known: clip_scenes, flickr8k"
    )


def test_a_file_name_that_is_no_text_can_be_written_of(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    write_text(tmp_path / "file.json", json.dumps([name, "é"], ensure_ascii=False))
    assert json.loads((tmp_path / "file.json").read_text(encoding="utf-8")) == [name, "é"]
