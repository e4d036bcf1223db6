"""A training that is told to stop says what is kept; two trainings never share a folder."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from limits import LIMIT_S
from tiny_runs import done, flags, picture_folder

from weft.training import checkpoint


def started(*words: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "weft.cli", "train", *map(str, words)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


def until(moment) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not moment():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_answered_with_what_is_kept(tmp_path: Path, number: signal.Signals) -> None:
    run, data = tmp_path / "run", picture_folder(tmp_path / "mine", 40)
    words = flags(run__steps=10_000, run__checkpoint_every=1, run__evaluate_every=0)
    with started("scenes", "--data", data, "--out", run, *words) as process:
        until(lambda: checkpoint.saved(run))
        process.send_signal(number)
        said = process.communicate(timeout=LIMIT_S)[1].strip().splitlines()[-1]
    assert process.returncode == 128 + number
    assert said.startswith(
        f"weft: training stopped by {number.name}: the checkpoint {run}/checkpoints"
    )
    assert said.endswith(f"weft train --resume {run} goes on from there")


def test_before_the_first_checkpoint_there_is_nothing_to_keep(tmp_path: Path) -> None:
    run, data = tmp_path / "run", picture_folder(tmp_path / "mine", 40)
    words = flags(run__steps=10_000, run__checkpoint_every=0, run__evaluate_every=0)
    with started("scenes", "--data", data, "--out", run, *words) as process:
        until((run / "log.jsonl").exists)
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=LIMIT_S)[1].strip().splitlines()[-1]
    assert "before its first checkpoint: nothing is kept" in said


def test_of_two_trainings_into_one_folder_the_second_is_refused(tmp_path: Path) -> None:
    run, data = tmp_path / "run", picture_folder(tmp_path / "mine", 40)
    words = flags(run__steps=6, run__log_every=1)
    both = [started("scenes", "--data", data, "--out", run, *words) for _ in range(2)]
    errors = [process.communicate(timeout=LIMIT_S)[1] for process in both]
    assert sorted(process.returncode for process in both) == [0, 2]
    refused = next(e for p, e in zip(both, errors, strict=True) if p.returncode == 2)
    assert any(what in refused for what in ("is training into it", "already holds a run"))
    steps = [json.loads(line)["step"] for line in (run / "log.jsonl").read_text().splitlines()]
    assert steps == list(range(1, 7))
    assert "trained 6 steps" in done("train", "--resume", run)
