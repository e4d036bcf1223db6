"""A run killed at any moment and resumed ends in the same bits as one that was never killed."""

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import tiny_training
from limits import LIMIT_S
from tiny_training import train

from weft.core.errors import WeftError
from weft.training import checkpoint
from weft.training.log import COST

STEPS, BALLAST = 45, 3000  # 12 MB a checkpoint: long enough to be killed inside


def log_of(folder: Path) -> list[dict[str, float]]:
    lines = (folder / "log.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def without_clock(lines: list[dict[str, float]]) -> list[dict[str, float]]:
    return [
        {k: v for k, v in line.items() if k not in ("samples_per_second", *COST)} for line in lines
    ]


def killed_when(folder: Path, moment: Callable[[], bool]) -> None:
    """Starts or resumes the run, and ends it with SIGKILL at the moment."""
    settings = [str(folder), str(STEPS), str(BALLAST), "0.05"]
    command = [sys.executable, tiny_training.__file__, "train", *settings]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        if moment():
            process.send_signal(signal.SIGSTOP)
            if moment():  # still so, now that nothing moves
                break
            process.send_signal(signal.SIGCONT)
        assert process.poll() is None, "the run ended before it could be killed"
        time.sleep(0.0005)
    process.kill()
    process.wait()
    assert moment()


def steps_done(folder: Path) -> int:
    path = folder / "log.jsonl"
    return path.read_text().count("\n") if path.exists() else 0


def being_written(folder: Path) -> list[Path]:
    """Unfinished checkpoints after the first finished one."""
    return list((folder / "checkpoints").glob(".step-*")) if checkpoint.saved(folder) else []


def test_killed_three_times_and_resumed_to_the_same_bits(tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    expected = train(whole, STEPS, BALLAST)
    first, second = sorted(random.Random(time.time_ns()).sample(range(3, 35), 2))

    killed_when(killed, lambda: steps_done(killed) >= first)
    killed_when(killed, lambda: bool(being_written(killed)))
    assert checkpoint.latest(killed) is not None
    killed_when(killed, lambda: steps_done(killed) >= second)
    found = train(killed, STEPS, BALLAST)

    assert found.best_step == expected.best_step
    assert found.metrics == expected.metrics
    assert (killed / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    final = checkpoint.path_of(Path(), STEPS)
    assert (killed / final).read_bytes() == (whole / final).read_bytes()
    assert [line["step"] for line in log_of(killed)] == list(range(1, STEPS + 1))
    assert without_clock(log_of(killed)) == without_clock(log_of(whole))
    assert not list(killed.rglob("*tmp*"))


def test_dropout_is_on_in_these_runs(tmp_path: Path) -> None:
    """Otherwise the test above would show nothing of random numbers."""
    step = tiny_training.tiny_step(dropout=0.3)
    batch = tiny_training.batch_at(0)
    assert step(batch).total != step(batch).total


def test_resuming_a_finished_run_changes_nothing(tmp_path: Path) -> None:
    first = train(tmp_path, 12)
    log = (tmp_path / "log.jsonl").read_bytes()
    again = train(tmp_path, 12)
    assert (again.steps, again.best_step, again.metrics) == (12, first.best_step, first.metrics)
    assert (tmp_path / "log.jsonl").read_bytes() == log


def test_a_checkpoint_cut_off_by_a_crash_is_passed_over(tmp_path: Path) -> None:
    train(tmp_path / "whole", 20)
    train(tmp_path / "cut", 20)
    newest = checkpoint.saved(tmp_path / "cut")[-1]
    newest.write_bytes(newest.read_bytes()[:-100])
    assert checkpoint.latest(tmp_path / "cut") == checkpoint.path_of(tmp_path / "cut", 15)
    train(tmp_path / "cut", 20)
    final = checkpoint.path_of(Path(), 20)
    assert (tmp_path / "cut" / final).read_bytes() == (tmp_path / "whole" / final).read_bytes()


def test_no_readable_checkpoint_is_an_error_not_a_new_start(tmp_path: Path) -> None:
    train(tmp_path, 12)
    for path in checkpoint.saved(tmp_path):
        path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(WeftError, match="cut off"):
        train(tmp_path, 12)
