"""Peak memory does not grow with the rows: a tenth of the benchmark's sounds, in a process of their own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def peak(rows: int) -> float:
    """MiB."""
    words = [sys.executable, "-m", "benchmarks.lines.data_memory", "sounds", str(rows)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=600, cwd=ROOT, check=True)
    found: float = json.loads(done.stdout.splitlines()[-1])["MiB"]
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_the_memory_of_sounds_is_bounded() -> None:
    """All of the larger set, 1,000 MiB of samples, would be 940 MiB more than the smaller one."""
    assert peak(64) + 600 > peak(1600)
