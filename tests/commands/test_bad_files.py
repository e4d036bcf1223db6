"""Bad files of a run, and full disks: one clear line with its place, exit code 2, no traceback, nothing lost."""

import errno
import json
import os
import pickle
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from tiny_runs import (
    contents,
    done,
    refused,
    scenes_flags,
    unchanged,
)

from weft.core.documents import CHECKSUM, write_checked
from weft.core.tensors import read_state, read_tensors, write_tensors
from weft.training import checkpoint


class Malicious:
    """Its pickle creates a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return (open, (self.path, "w"))


def newest(run: Path) -> Path:
    path = checkpoint.latest(run)
    assert path is not None
    return path


def test_a_checkpoint_of_another_recipe(scenes_copy: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    done("train", "scenes", *scenes_flags(optim__lr=0.5), "--out", other)
    shutil.copy(newest(other), newest(scenes_copy))
    with unchanged(scenes_copy):
        line = refused("train", "--resume", scenes_copy)
    assert f"{newest(scenes_copy)}: is a checkpoint of another recipe: optim.lr is " in line


def test_a_checkpoint_of_another_model(scenes_copy: Path) -> None:
    path = newest(scenes_copy)
    tensors, state = read_tensors(path)
    name = next(name for name in tensors if name.endswith("image.layers.0.weight"))
    write_tensors(path, {**tensors, name: torch.ones(2, 3)}, state)
    with unchanged(scenes_copy):
        line = refused("train", "--resume", scenes_copy)
    assert f"{path}: is of another recipe: {name} is torch.float32 (2, 3)" in line


@pytest.mark.parametrize("kind", ["truncated", "empty", "pickle", "torch.save", "foreign"])
@pytest.mark.parametrize("file", ["checkpoint", "model"])
def test_spoiled_weights(file: str, kind: str, scenes_copy: Path, tmp_path: Path) -> None:
    model = file == "model"
    path = scenes_copy / "model.safetensors" if model else newest(scenes_copy)
    whole, ran = path.read_bytes(), tmp_path / "ran"
    if kind == "truncated":
        path.write_bytes(whole[:-50])
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "pickle":
        path.write_bytes(pickle.dumps(Malicious(ran)))
    elif kind == "torch.save":
        torch.save({"weights": Malicious(ran)}, path)
    else:
        save_file({"weight": torch.ones(2)}, path)
    with unchanged(scenes_copy):
        words = ("evaluate", scenes_copy) if model else ("train", "--resume", scenes_copy)
        line = refused(*words)
    assert f"{path}: " in line
    assert not ran.exists()


def test_a_recipe_of_foreign_classes(scenes_copy: Path) -> None:
    path = scenes_copy / "recipe.json"
    whole = path.read_text()
    for name in (
        "os.path.join",
        "subprocess.Popen",
        "weft.core.config.load",
        "weft.nothing.Config",
    ):
        path.write_text(whole.replace("weft.encoders.convnet.ConvNetConfig", name))
        for words in (("evaluate", scenes_copy), ("train", "--resume", scenes_copy)):
            line = refused(*words)
            assert f"'{name}' is not the name of a config class of weft" in line
            assert f"{path}: model: encoders: image" in line
    path.write_text(whole[: len(whole) // 2])
    assert f"{path}:" in refused("evaluate", scenes_copy)
    path.write_text(whole.replace('"batch_size": 8', '"batch_size": 0'))
    assert "batch_size is 0" in refused("evaluate", scenes_copy)
    path.write_text(whole.replace('"batch_size"', '"batch_sise"'))
    assert "did you mean batch_size" in refused("evaluate", scenes_copy)


def test_a_run_without_its_model(scenes_copy: Path) -> None:
    (scenes_copy / "model.safetensors").unlink()
    for words in (("evaluate",), ("report",), ("search", "--text", "a star")):
        line = refused(words[0], scenes_copy, *words[1:])
        assert line.startswith(f"{scenes_copy}: ")
        assert "model.safetensors is missing" in line


FULL_DISK = """
import resource, sys
from weft.cli import main
limit = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
sys.exit(main(sys.argv[2:]))
"""


def test_a_full_disk(tmp_path: Path) -> None:
    """The largest file that may be written is smaller than a checkpoint."""
    run = tmp_path / "run"
    words = scenes_flags(run__steps=4, run__checkpoint_every=2, run__evaluate_every=1)
    done("train", "scenes", *words, "--out", run)
    path = run / "recipe.json"
    largest = newest(run).stat().st_size
    for checkpoint_path in checkpoint.saved(run)[1:]:
        checkpoint_path.unlink()  # as if killed after the first
    before = contents(run)
    found = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(largest - 1), "train", "--resume", str(run)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 2, found.stderr
    progress = ("step ", "the validation split has 10 rows")
    lines = [line for line in found.stderr.splitlines() if not line.startswith(progress)]
    assert len(lines) == 1, found.stderr
    assert lines[0].startswith(f"weft: {checkpoint.path_of(run, 4)}: cannot be written: ")
    after = contents(run)
    for name in (
        "recipe.json",
        "model.json",
        "modalities.json",
        "checkpoints/step-00000002.safetensors",
    ):
        assert after[name] == before[name]
    assert not [name for name in after if "tmp" in name]
    assert path.exists()
    assert "trained 4 steps" in done("train", "--resume", run)
    assert read_state(newest(run))["state"]["step"] == 4


@pytest.mark.parametrize("command", ["report", "evaluate"])
def test_no_space_left(command: str, scenes_copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done(command, scenes_copy)

    def full(self: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_bytes", full)
    with unchanged(scenes_copy):
        line = refused(command, scenes_copy)
    assert "cannot be written: No space left on device" in line
    assert str(scenes_copy) in line


def test_the_log_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Path.open

    def full(self: Path, mode: str = "r", **more: object) -> object:
        if self.name == "log.jsonl" and mode == "a":
            raise OSError(errno.ENOSPC, "No space left on device")
        return opened(self, mode, **more)

    monkeypatch.setattr(Path, "open", full)
    words = scenes_flags(run__steps=1)
    line = refused("train", "scenes", *words, "--out", tmp_path / "run", after_steps=True)
    assert f"{tmp_path / 'run' / 'log.jsonl'}: cannot be written: No space left" in line


def spoil(path: Path, old: str, new: str) -> None:
    """Changes the text, and the checksum with it: the file is not damaged but wrong."""
    values = json.loads(path.read_text().replace(old, new))
    values.pop(CHECKSUM)
    write_checked(path, values)


def test_a_model_larger_than_memory(scenes_copy: Path) -> None:
    path = scenes_copy / "model.json"
    spoil(path, '"in_dim": 32', '"in_dim": 128000000000')
    line = refused("evaluate", scenes_copy)
    assert f"{path}: describes no model: it is many times larger than its weights" in line


def test_a_model_of_endless_depth(scenes_copy: Path) -> None:
    path = scenes_copy / "model.json"
    spoil(path, '"depth": 1', '"depth": 1000000000')
    line = refused("evaluate", scenes_copy)
    assert f"{path}: describes no model: it has many more parameters than its weights" in line


def test_a_changed_number_of_a_run(scenes_copy: Path) -> None:
    """Another number of heads fits the weights, but it is another model."""
    path = scenes_copy / "model.json"
    whole = path.read_text()
    path.write_text(re.sub(r'"heads": \d+', '"heads": 1', whole))
    assert path.read_text() != whole
    assert f"{path}: is damaged or was edited" in refused("evaluate", scenes_copy)


@pytest.mark.parametrize("file", ["recipe.json", "modalities.json", "model.json"])
def test_a_file_nested_without_end(file: str, scenes_copy: Path) -> None:
    (scenes_copy / file).write_text('{"a":' * 3000 + "1" + "}" * 3000)
    assert f"{scenes_copy / file}: is nested more than 64 deep" in refused("evaluate", scenes_copy)


def test_what_was_learned_is_of_another_kind(scenes_copy: Path) -> None:
    path = scenes_copy / "modalities.json"
    for value in (7, [], {"tokenizer": 7}, {"tokenizer": {"model": []}}):
        write_checked(path, {"image": {}, "text": value})
        assert f"{path}: stream 'text': " in refused("evaluate", scenes_copy)


def test_files_of_another_run(scenes_copy: Path, tmp_path: Path) -> None:
    """A tokenizer learned from other captions gives other ids for the same words."""
    other = tmp_path / "other"
    done("train", "scenes", *scenes_flags(data__source__scenes__seed=9), "--out", other)
    learned = scenes_copy / "modalities.json"
    shutil.copy(other / learned.name, learned)
    line = refused("evaluate", scenes_copy)
    assert f"{learned}: is of another run: the weights in model.safetensors" in line
    line = refused("train", "--resume", scenes_copy)
    assert "was trained with other tokenizers or classes" in line
    refused("train", "scenes", *scenes_flags(), "--init", scenes_copy, "--out", tmp_path / "new")
    shutil.copy(other / "model.safetensors", scenes_copy / "model.safetensors")
    assert "retrieval" in done("evaluate", scenes_copy)


@pytest.fixture
def read_only(scenes_copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run in which nothing can be written: its disk is read-only for whoever asks, root as well."""
    made = os.open

    def opened(path: Any, flags: int, *more: Any, **rest: Any) -> int:
        if flags & (os.O_CREAT | os.O_WRONLY | os.O_RDWR) and Path(path).is_relative_to(
            scenes_copy
        ):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        return made(path, flags, *more, **rest)

    def mkdir(path: Any, *_: Any, **__: Any) -> None:
        if Path(path).is_relative_to(scenes_copy):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        make(path, *_, **__)

    make = os.mkdir
    monkeypatch.setattr(os, "open", opened)
    monkeypatch.setattr(os, "mkdir", mkdir)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return scenes_copy


WRITERS = {
    "report": ("--out", "report.html"),
    "evaluate": ("--json", "numbers.json"),
    "index build": ("--out", "index"),
}


@pytest.mark.parametrize("command", WRITERS)
def test_a_run_on_a_read_only_disk(command: str, read_only: Path, tmp_path: Path) -> None:
    flag, name = WRITERS[command]
    with unchanged(read_only):
        done(*command.split(), read_only, flag, tmp_path / name)
        assert (tmp_path / name).exists()
        if (
            command != "index build"
        ):  # what was read of the training rows is kept with the user's cache
            assert list((tmp_path / "cache" / "weft").glob("audit-*/*/*"))
        line = refused(*command.split(), read_only)
    assert "cannot be written: Read-only file system" in line
    assert f"; {flag} F" in line
    assert "names another place" in line
