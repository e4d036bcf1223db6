"""Two gloo ranks see and compute what one does."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import tiny_training
import torch
from limits import LIMIT_S

from weft.core.distributed import barrier
from weft.core.errors import WeftError
from weft.training import distributed

SCRIPT = tiny_training.__file__


def losses(folder: Path) -> list[tuple[float, float]]:
    lines = map(json.loads, (folder / "log.jsonl").read_text().splitlines())
    return [(line["loss"], line["gradient_norm"]) for line in lines]


def test_two_ranks_train_like_one_and_stop_together(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    result = tiny_training.train_on_ranks(one, poisoned=False)
    assert (result.steps, result.metrics) == (20, {"recall": 4.0})
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command = [*launcher, "--nproc-per-node", "2", SCRIPT, "ranks", str(two)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run(command, timeout=LIMIT_S, env=environment, check=True, capture_output=True)
    for rank in range(2):
        assert json.loads((two / f"rank-{rank}.json").read_text()) == [20, 4.0]
    expected, found = losses(one), losses(two)
    assert len(expected) == 20
    torch.testing.assert_close(torch.tensor(found), torch.tensor(expected), atol=1e-5, rtol=1e-5)
    assert (one / "model.safetensors").stat().st_size == (two / "model.safetensors").stat().st_size


def test_a_bad_row_on_one_rank_stops_both(tmp_path: Path) -> None:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    ranks = [
        subprocess.Popen(
            [sys.executable, SCRIPT, "poisoned", str(tmp_path)],
            env={**os.environ, **shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    errors = [process.communicate(timeout=LIMIT_S)[1] for process in ranks]
    for process, error in zip(ranks, errors, strict=True):
        # A rank that outlives the other may be aborted by gloo while it ends, after it has spoken.
        assert process.returncode in (1, -signal.SIGABRT), error
        assert any("WeftError" in x and "stopped at step 4" in x for x in error.splitlines())
    # All embeddings meet in one contrastive loss, so no rank's rows can be cleared.
    rows = json.loads((tmp_path / "nonfinite.json").read_text())
    assert (rows["step"], rows["ids"]) == (4, [f"row-3-{i}" for i in range(8)])


LEAVING = """
import gc
import sys
from pathlib import Path
import torch
from weft.training import distributed, sharding

folder, rank, parallel = sys.argv[1:]
where = {"init_method": f"file://{folder}/store", "rank": int(rank), "world_size": 2}
with distributed.joined("gloo", **where):
    for width in (2, 4):  # one training after another
        step = torch.nn.Linear(2, width)
        if parallel == "fsdp":
            sharding.shard(step, torch.device("cpu"))
        else:
            step = torch.nn.parallel.DistributedDataParallel(step)
        optimizer = torch.optim.AdamW(step.parameters())
        step(torch.ones(3, 2)).sum().backward()
        optimizer.step()
        del step, optimizer
        gc.collect()
print(*(path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm")))
"""


@pytest.mark.parametrize("parallel", ["ddp", "fsdp"])
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs /proc to see threads")
def test_leaving_ends_the_threads_of_the_group(tmp_path: Path, parallel: str) -> None:
    ranks = [
        subprocess.Popen(
            [sys.executable, "-c", LEAVING, str(tmp_path), str(rank), parallel],
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    for process in ranks:
        left = process.communicate(timeout=LIMIT_S)[0]
        assert process.returncode == 0
        assert left
        assert "gloo" not in left


def test_one_process_needs_nothing() -> None:
    with distributed.session("cpu") as device:
        assert device == torch.device("cpu")
    values = {"loss": torch.tensor(2.0)}
    assert distributed.mean(values) == values
    assert distributed.from_first({"a": 1.0}, torch.device("cpu")) == {"a": 1.0}
    assert distributed.all_strings(["a"]) == ["a"]
    module = torch.nn.Linear(1, 1)
    assert distributed.wrap(module) is module
    barrier()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_named() -> None:
    with pytest.raises(WeftError, match="no GPU"):
        distributed.device("cuda")
    assert distributed.device("auto") == torch.device("cpu")
