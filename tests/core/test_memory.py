"""Freed memory goes back to the system."""

import platform
from pathlib import Path

import pytest
import torch

from weft.core.memory import return_free_memory


def resident_pages() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1])


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_holes_between_small_things_are_given_back() -> None:
    # 100 KB each: too small for glibc to map one by one, so they come from its heap.
    kept = [torch.ones(25_000) for _ in range(2000)]
    del kept[:-1]
    before = resident_pages()
    return_free_memory()
    assert before - resident_pages() > 0.5 * 2000 * 25_000 * 4 / 4096
    assert kept[0].sum() == 25_000
