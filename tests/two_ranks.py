"""Lets a test file run itself as two gloo ranks on this machine."""

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


def found(script: str, folder: Path) -> dict[str, Tensor]:
    """What rank 0 found when `script`, which calls `main`, ran as two ranks."""
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    ranks = [
        subprocess.Popen(
            [sys.executable, script, str(rank), str(folder)],
            env={**os.environ, "PYTHONPATH": path.rstrip(os.pathsep)},
        )
        for rank in range(2)
    ]
    assert [process.wait(timeout=LIMIT_S) for process in ranks] == [0, 0]
    return load_file(folder / "found.safetensors")


def main(work: Callable[[int], Mapping[str, Tensor]]) -> None:
    """One rank of `found`, started by it: calls `work` with its rank, inside the group."""
    rank, folder = int(sys.argv[1]), sys.argv[2]
    torch.set_num_threads(1)
    store = f"file://{folder}/store"
    with distributed.joined("gloo", init_method=store, rank=rank, world_size=2):
        values = work(rank)
        if rank == 0:
            save_file(dict(values), f"{folder}/found.safetensors")
