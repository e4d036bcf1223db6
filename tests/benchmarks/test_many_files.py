"""The memory of a command with several processes, and what the script refuses."""

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = [sys.executable, "-m", "benchmarks.many_files"]
HOLDS = """
import subprocess, sys, time
held = b"x" * 150_000_000
if sys.argv[1:]:
    time.sleep(2)
else:
    raise SystemExit(subprocess.run([sys.executable, __file__, "child"]).returncode + 3)
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")


def test_the_memory_of_all_processes_counts(tmp_path: Path) -> None:
    (tmp_path / "holds.py").write_text(HOLDS)
    words = [*SCRIPT, "peak", sys.executable, str(tmp_path / "holds.py")]
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 3
    held = float(done.stdout.removeprefix("peak memory: ").removesuffix(" GB\n"))
    assert 0.3 <= held < 0.4


def test_an_interrupt_ends_the_command(tmp_path: Path) -> None:
    file = tmp_path / "number"
    code = f"import os, time; open({str(file)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    words = [*SCRIPT, "peak", sys.executable, "-c", code]
    # Where the tests run in the background, interrupts are ignored, and children inherit that.
    heeded = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    pipe = subprocess.PIPE
    with subprocess.Popen(words, cwd=ROOT, stderr=pipe, preexec_fn=heeded) as process:  # noqa: PLW1509
        until = time.monotonic() + 30
        while not (file.exists() and file.read_text()) and time.monotonic() < until:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert process.returncode != 0
    number = int(file.read_text())
    while Path(f"/proc/{number}").exists() and time.monotonic() < until:
        time.sleep(0.05)
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ((), "got nothing, expected sounds or pictures with a number and a folder, or peak"),
        (("pictures", "many", "folder"), "got pictures many folder, expected"),
        (("peak", "no-such-command"), "No such file or directory: 'no-such-command'"),
    ],
)
def test_bad_words_are_refused_in_one_line(words: tuple[str, ...], line: str) -> None:
    done = subprocess.run([*SCRIPT, *words], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 2
    assert line in done.stderr
    assert done.stderr.count("\n") == 1
