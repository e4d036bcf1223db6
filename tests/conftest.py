"""Fixtures shared by all tests."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import settings

# The time that one example takes depends on the machine and on what else it does.
settings.register_profile("weft", deadline=None)
settings.load_profile("weft")

SHARED_DATA = Path(__file__).resolve().parents[1] / ".." / "shared" / "data"


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Parallel test workers on few cores are fastest with one thread each."""
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
