"""Two gloo ranks that torchrun starts see and compute what one does, from the command line."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from limits import LIMIT_S
from tiny_runs import SCENES, done, read_rows, weft

from weft.core.tensors import read_tensors

STEPS = 20
SETTINGS = {
    **SCENES,
    "data.streams.image.size": 32,
    "data.streams.text.vocab-size": 300,
    "model.encoders.image.image-size": 32,
    "model.encoders.image.dim": 32,
    "model.encoders.image.depth": 2,
    "model.encoders.image.heads": 2,
    "model.encoders.text.dim": 32,
    "model.encoders.text.depth": 2,
    "model.encoders.text.heads": 2,
    "model.projections.image.in-dim": 32,
    "model.projections.text.in-dim": 32,
    "tasks.retrieval.resamples": 10,
    "run.batch-size": 16,
    "run.steps": STEPS,
    "run.log-every": 1,
    "run.evaluate-every": 10,
    "run.checkpoint-every": 10,
    "run.workers": 0,
    "run.device": "cpu",
}
WORDS = [
    "train",
    "clip",
    *(str(w) for name, value in SETTINGS.items() for w in (f"--{name}", value)),
]


def on_two_ranks(*words: str) -> subprocess.CompletedProcess[str]:
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    return subprocess.run(
        [*launcher, "--nproc-per-node", "2", "-m", "weft.cli", *words],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        timeout=LIMIT_S,
        check=False,
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def one(made_once: Callable[[str, Callable[[Path], object]], Path]) -> Path:
    return made_once("ranks", lambda folder: done(*WORDS, "--out", folder / "one")) / "one"


def losses(run: Path) -> torch.Tensor:
    rows = read_rows(run / "log.jsonl")
    assert [row["step"] for row in rows] == list(range(1, STEPS + 1))
    return torch.tensor([row["loss"] for row in rows])


def test_the_same_losses(one: Path, tmp_path: Path) -> None:
    two = tmp_path / "two"
    said = on_two_ranks(*WORDS, "--out", str(two))
    assert said.returncode == 0, said.stderr
    assert said.stdout.count("run directory:") == 1
    torch.testing.assert_close(losses(two), losses(one), atol=1e-5, rtol=0)
    assert losses(one)[-1] < losses(one)[0]
    expected, _ = read_tensors(one / "model.safetensors")
    found, _ = read_tensors(two / "model.safetensors")
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, atol=1e-3, rtol=0)
    assert weft("evaluate", two).code == 0


def test_weights_cut_over_ranks_give_the_same_losses_and_one_rank_goes_on(
    one: Path, tmp_path: Path
) -> None:
    two = tmp_path / "two"
    said = on_two_ranks(*WORDS, "--out", str(two), "--run.parallel", "fsdp")
    assert said.returncode == 0, said.stderr
    torch.testing.assert_close(losses(two), losses(one), atol=1e-5, rtol=0)
    assert weft("evaluate", two).code == 0
    last, first = (two / "checkpoints" / f"step-{step:08d}" for step in (STEPS, STEPS // 2))
    assert len(list(first.glob("*.safetensors"))) == 2
    shutil.rmtree(last)
    said_alone = weft("train", "--resume", two, "--parallel", "ddp")
    assert said_alone.code == 0, said_alone.err
    assert last.with_suffix(".safetensors").is_file()
    torch.testing.assert_close(losses(two), losses(one), atol=1e-5, rtol=0)
