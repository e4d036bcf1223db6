"""Fixtures shared by all tests."""

import fcntl
import gc
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

# The time that one example takes depends on the machine and on what else it does.
settings.register_profile("weft", deadline=None)
settings.load_profile("weft")

# Read when torch or scikit-learn is imported, so no file of this folder imports them before: on busy cores
# their threads wait for each other, and trees take six times as long.
os.environ["OMP_NUM_THREADS"] = "1"
# Where a test asks for two threads, the one that waits does not use up its core.
os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
os.environ["WEFT_LANGUAGE"] = "en"  # tests read messages, whatever the locale


def pytest_collectstart() -> None:
    """Importing leaves next to nothing to free."""
    gc.disable()


def pytest_collection_finish() -> None:
    """The collector need not walk the modules and the tests again and again: they stay to the end. What
    tests make it walks every 10,000 objects, not every 700."""
    gc.enable()
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000)


SHARED_DATA = Path(__file__).resolve().parents[1] / ".." / "shared" / "data"


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Parallel test workers on few cores are fastest with one thread each."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], Path]:
    """`shared_data("flickr8k")` is the folder of that real data set; skips where it is absent."""

    def locate(name: str) -> Path:
        folder = (SHARED_DATA / name).resolve()
        if not folder.exists():
            pytest.skip(f"real data set '{name}' is not at {folder}")
        return folder

    return locate


@pytest.fixture(scope="session")
def made_once(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str, Callable[[Path], object]], Path]:
    """`made_once("name", make)` is a folder that `make` filled once for all workers of a test run.

    A fixture of module or session scope is otherwise made again by each worker that runs one of its
    tests. No test may change the folder.
    """
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent

    def made(name: str, make: Callable[[Path], object]) -> Path:
        folder, mark = root / name, root / f"{name}.made"
        with (root / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not mark.exists():
                shutil.rmtree(folder, ignore_errors=True)  # left by a worker that failed
                folder.mkdir()
                make(folder)
                mark.touch()
        return folder

    return made
