"""Lets a test file run itself as two gloo ranks on this machine."""

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from limits import LIMIT_S
from safetensors.torch import load_file, save_file
from torch import Tensor

from weft.training import distributed

Work = Callable[[int], Mapping[str, Tensor]]


def found(script: str, folder: Path) -> dict[str, Tensor]:
    """What rank 0 found when `script`, which calls `main`, ran as two ranks."""
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path.rstrip(os.pathsep)}
    subprocess.run(
        [sys.executable, script, str(folder)], env=environment, check=True, timeout=LIMIT_S
    )
    return load_file(folder / "found.safetensors")


def main(work: Work) -> None:
    """Both ranks of `found`, in the process that it starts: calls `work` with each rank, inside the group.

    The second one is forked, since importing takes longer than most of the work.
    """
    folder = sys.argv[1]
    torch.set_num_threads(1)
    second = multiprocessing.get_context("fork").Process(
        target=_rank, args=(work, 1, folder), daemon=True
    )
    second.start()
    _rank(work, 0, folder)
    second.join()
    sys.exit(second.exitcode)


def _rank(work: Work, rank: int, folder: str) -> None:
    store = f"file://{folder}/store"
    with distributed.joined("gloo", init_method=store, rank=rank, world_size=2):
        values = work(rank)
        if rank == 0:
            save_file(dict(values), f"{folder}/found.safetensors")
