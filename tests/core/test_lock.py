"""One process at a time holds a folder; the lock ends with the process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from limits import LIMIT_S

from weft.core.errors import WeftError
from weft.core.lock import LOCK, locked

HOLD = """
import sys
from pathlib import Path
from weft.core.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_process_is_refused_until_the_first_has_ended(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    command = [sys.executable, "-c", HOLD, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        held = rf"another process \(process {holder.pid} on {os.uname().nodename}\) is training"
        with pytest.raises(WeftError, match=held), locked(folder):
            pass
        holder.kill()
        holder.wait(timeout=LIMIT_S)
    with locked(folder), pytest.raises(WeftError, match="another process"), locked(folder):
        pass
    with locked(folder):
        pass


def test_a_folder_that_stays_empty_is_removed(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "one"
    with locked(folder):
        assert folder.is_dir()
    assert list(tmp_path.iterdir()) == []
    folder.parent.mkdir()
    with locked(folder):
        pass
    assert list(folder.parent.iterdir()) == []
    with locked(folder):
        (folder / "kept").write_text("")
    assert (folder / "kept").exists()
    with locked(folder):
        pass
    assert (folder / "kept").exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_in_the_place_of_the_lock_is_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / LOCK)
    message = rf"{LOCK}: cannot be locked: is a named pipe, expected a file"
    with pytest.raises(WeftError, match=message), locked(tmp_path):
        pass


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")
    with pytest.raises(WeftError, match=r"run.*cannot be locked"), locked(tmp_path / "run"):
        pass
