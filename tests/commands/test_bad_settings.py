"""Bad settings, and machines that lack something: one clear line with its place, exit code 2, no traceback, nothing lost."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tiny_runs import (
    SCENES,
    caption_table,
    flags,
    picture_folder,
    refused,
    scenes_flags,
)

IMPOSSIBLE: dict[str, tuple[str, ...]] = {
    "batch_size is 0": ("--run.batch-size", "0"),
    "batch_size is 9999999999, expected 1 to": ("--run.batch-size", "9999999999"),
    "workers is 99999": ("--run.workers", "99999"),
    "seed is -1": ("--run.seed", "-1"),
    "accumulate is 9": ("--run.accumulate", "9"),
    "'many'": ("--run.steps", "many"),
    "'fp61'": ("--run.precision", "fp61"),
    "did you mean bf16": ("--run.precision", "bf61"),
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
    "model.encoders.text.vocab_size is 10, expected at least": (
        *("--model.encoders.text.vocab-size", "10"),
    ),
    "model.encoders.text.max_length is 4, expected at least 48": (
        *("--model.encoders.text.max-length", "4"),
    ),
    "model.projections.text.in_dim is 7, expected 16": ("--model.projections.text.in-dim", "7"),
    "'text' has shape (8, 7)": ("--model.projections.text.out-dim", "7"),
    "heads is 3": ("--model.encoders.text.heads", "3"),
    "dim is 0": ("--model.encoders.text.dim", "0"),
    "std[0] is 0.0": ("--model.encoders.image.std", "0", "1", "1"),
    "/no/weights.safetensors: no such file": (
        *("--model.encoders.image.weights", "/no/weights.safetensors"),
    ),
    "more than 1 value per channel": (
        *("--run.batch-size", "1", "--data.streams.image.size", "8"),
    ),
    "unknown stream of objectives.contrastive 'txt': did you mean text?": (
        "--objectives.contrastive.streams",
        "image",
        "txt",
    ),
    "('image', 'image'), expected two or more different ones": (
        "--objectives.contrastive.streams",
        "image",
        "image",
    ),
    "label_smoothing is 2.0": ("--objectives.contrastive.label-smoothing", "2"),
    "unknown stream of tasks.retrieval 'txt': did you mean text?": (
        "--tasks.retrieval.second",
        "txt",
    ),
    "ks is (0,)": ("--tasks.retrieval.ks", "0"),
    "resamples is 0": ("--tasks.retrieval.resamples", "0"),
    "did you mean retrieval?": ("--run.monitor", "retreival/rsum"),
    "did you mean retrieval/rsum?": ("--run.monitor", "retrieval/rsun"),
    "unknown stream in data.optional 'txt': did you mean text?": ("--data.optional", "txt"),
    "is not a trained run to start from": ("--init", "/no/run"),
}


@pytest.mark.parametrize("expected", IMPOSSIBLE)
def test_an_impossible_setting(expected: str, tmp_path: Path) -> None:
    run = tmp_path / "run"
    words = [*scenes_flags(run__steps=1), *IMPOSSIBLE[expected], "--out", run]
    line = refused("train", "scenes", *words)
    assert expected in line
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


def test_a_missing_extra_is_named_with_its_command(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    shared_data: Callable[[str], Path],
) -> None:
    monkeypatch.setenv("WEFT_DATA", str(shared_data("flickr8k").parent))
    monkeypatch.setitem(sys.modules, "transformers", None)
    for name in [name for name in sys.modules if name.startswith("transformers.")]:
        monkeypatch.delitem(sys.modules, name)
    words = ["--data.source.path", caption_table(tmp_path / "mine"), "--run.steps", 1]
    line = refused("train", "flickr8k", *words, "--out", tmp_path / "run")
    assert "transformers" in line
    assert "pip install 'weft[pretrained]'" in line


def test_a_missing_package_of_a_tower(tmp_path: Path) -> None:
    words = ["--data.streams.text.kind", "pretrained", "--data.streams.text.pretrained"]
    line = refused(
        "train", "scenes", *scenes_flags(), *words, "package:no-such-tower", "--out", tmp_path / "r"
    )
    assert "pip install no-such-tower" in line
