"""`weft train`, killed with SIGKILL and resumed, ends in the bits of a run that was never killed."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from limits import LIMIT_S
from tiny_runs import done, flags, picture_folder

from weft.training import checkpoint

STEPS = 40


def start(*words: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "weft.cli", *map(str, words)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def killed_when(moment: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    """Ends the process with SIGKILL at the moment."""
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


def steps_done(run: Path) -> int:
    log = run / "log.jsonl"
    return log.read_text().count("\n") if log.exists() else 0


def being_written(run: Path) -> bool:
    """An unfinished checkpoint after the first finished one."""
    return bool(checkpoint.saved(run) and list((run / "checkpoints").glob(".step-*")))


def test_killed_three_times_and_resumed_to_the_same_bits(tmp_path: Path) -> None:
    data = picture_folder(tmp_path / "mine", 40)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    # Dropout, augmentation, averaged weights, validation and threads: all that could differ.
    words = flags(
        run__steps=STEPS,
        run__checkpoint_every=4,
        run__evaluate_every=7,
        run__log_every=1,
        run__workers=2,
        data__bucketing__stream="text",
        data__bucketing__window=2,
        model__encoders__text__dropout=0.2,
        model__encoders__image__widths=(16, 32, 64, 128),
        model__projections__image__in_dim=128,
        data__streams__image__flip=0.5,
        data__streams__image__crop_scale=(0.5, 1.0),
    )
    command = ["train", "scenes", "--data", data, *words]
    done(*command, "--out", whole)
    first, second = sorted(random.Random(time.time_ns()).sample(range(3, STEPS - 12), 2))

    killed_when(lambda: steps_done(killed) >= first, start(*command, "--out", killed))
    killed_when(lambda: being_written(killed), start("train", "--resume", killed))
    killed_when(lambda: steps_done(killed) >= second, start("train", "--resume", killed))
    said = done("train", "--resume", killed)

    assert f"trained {STEPS} steps" in said
    for name in ("model.safetensors", "model.json", "modalities.json", "lengths.safetensors"):
        assert (killed / name).read_bytes() == (whole / name).read_bytes(), name
    last = checkpoint.path_of(Path(), STEPS)
    assert (killed / last).read_bytes() == (whole / last).read_bytes()
    assert not list(killed.rglob("*tmp*"))
    numbers = [done("evaluate", run).splitlines()[:-1] for run in (killed, whole)]
    assert numbers[0] == numbers[1]
