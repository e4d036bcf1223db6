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
from tiny_runs import done, flags, picture_folder, refused

from weft.training import checkpoint
from weft.training.interruption import Interrupted, after_the_step, interruptible


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


def test_the_step_is_ended_with_a_checkpoint(tmp_path: Path) -> None:
    """Without any in between: what is kept is the step at which it was told to stop."""
    run, data = tmp_path / "run", picture_folder(tmp_path / "mine", 40)
    words = flags(
        run__steps=10_000, run__checkpoint_every=0, run__evaluate_every=0, run__log_every=1
    )
    with started("scenes", "--data", data, "--out", run, *words) as process:
        until(lambda: (run / "log.jsonl").exists() and (run / "log.jsonl").stat().st_size)
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=LIMIT_S)[1].strip().splitlines()
    assert "stopping: a checkpoint is written after this step; once more stops at once" in said
    (kept,) = checkpoint.saved(run)
    assert f"the checkpoint {kept} is kept; weft train --resume {run} goes on" in said[-1]
    last = json.loads((run / "log.jsonl").read_text().splitlines()[-1])["step"]
    assert kept == checkpoint.path_of(run, last)
    assert checkpoint.progress(run) == (last, 10_000)
    line = refused("evaluate", run)
    assert f"{run}: its training has not reached its first evaluation" in line
    assert line.endswith(
        f"{last:,} of 10,000 steps are done); continue with: weft train --resume {run}"
    )


def test_the_second_signal_stops_at_once(tmp_path: Path) -> None:
    def interrupted(times: int) -> None:
        with interruptible(tmp_path), after_the_step() as told:
            for _ in range(times):
                os.kill(os.getpid(), signal.SIGINT)
                assert told() == signal.SIGINT

    interrupted(1)
    with pytest.raises(Interrupted, match="before its first checkpoint: nothing is kept"):
        interrupted(2)
    with pytest.raises(Interrupted), interruptible(tmp_path):
        os.kill(os.getpid(), signal.SIGINT)  # outside of steps


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
