"""Engines: each does every unit once, and what goes wrong is one clear error."""

import contextlib
import importlib.util
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from limits import LIMIT_S

from weft.core.errors import MissingExtraError, WeftError
from weft.data.prepare.engines import Daft, Engine, build_engine
from weft.data.prepare.plan import PrepareConfig


def engine_of(name: str, workers: int = 2) -> Engine:
    for package in {"daft": ("daft",), "ray": ("daft", "ray")}.get(name, ()):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"the package {package} is not installed")
    return build_engine(name, workers)  # type: ignore[arg-type]


class Numbers(Sequence[dict[str, int]]):
    """{"n": 0}, {"n": 1}, ...: what `eval` takes as the names that its expression knows."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number: int) -> dict[str, int]:  # type: ignore[override]
        if number >= self._count:
            raise IndexError
        return {"n": number}


@pytest.fixture(params=["processes", "daft"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    return engine_of(request.param)


@pytest.mark.parametrize(("name", "workers"), [("processes", 1), ("daft", 1), ("ray", 2)])
def test_every_unit_is_worked_on_once(name: str, workers: int) -> None:
    made = list(engine_of(name, workers).run(eval, r"b'\xff\x00' * n", Numbers(12)))
    assert sorted(made) == [(n, b"\xff\x00" * n) for n in range(12)]


def test_several_workers(engine: Engine) -> None:
    assert dict(engine.run(eval, "b'a' * n", Numbers(9))) == {n: b"a" * n for n in range(9)}
    assert list(engine.run(eval, "b'a' * n", [])) == []


def test_a_killed_worker_is_one_clear_error(engine: Engine) -> None:
    with pytest.raises(WeftError, match=r"^(a worker process was killed|daft stopped).*fewer work"):
        list(engine.run(eval, "__import__('os')._exit(9)", Numbers(5)))


def test_a_full_disk_is_one_clear_error(engine: Engine, tmp_path: Path) -> None:
    """As good as full: a folder has the name of the file."""
    (tmp_path / "shard.tar").mkdir()
    place = repr(str(tmp_path / "shard.tar"))
    write = f"__import__('weft.core.files').core.files.write_bytes({place}, b'data')"
    with pytest.raises(WeftError) as caught:
        list(engine.run(eval, write, Numbers(5)))
    assert str(caught.value) == f"{tmp_path / 'shard.tar'}: cannot be written: Is a directory"


def test_a_mistake_in_the_code_is_no_error_of_the_user(engine: Engine) -> None:
    with pytest.raises(Exception, match="object of type 'int' has no len") as caught:
        list(engine.run(eval, "len(n)", Numbers(5)))
    assert not isinstance(caught.value, WeftError | ValueError | OSError)


def test_an_engine_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WeftError, match="unknown engine 'dask'.*known: daft, processes, ray"):
        PrepareConfig(engine="dask")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="workers is 0"):
        Daft(0)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"^the engine daft needs .* 'weft\[daft\]'$"):
        build_engine("daft", None)


WORK = """
import signal, sys
from weft.data.prepare.engines import build_engine

signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run behind a shell's &
if __name__ == "__main__":
    try:
        for _ in build_engine(sys.argv[1], 2).run(eval, "b'a' * n", [{"n": n} for n in range(100_000)]):
            print("working", flush=True)
    except KeyboardInterrupt:
        print("interrupted")
"""


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds processes in /proc")
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupt_leaves_no_process_behind(sign: int, tmp_path: Path) -> None:
    engine_of("daft")
    script = tmp_path / "work.py"
    script.write_text(WORK)
    command = [sys.executable, script, "daft"]
    work = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert work.stdout is not None
    assert work.stdout.readline() == "working\n"
    started = descendants(work.pid)
    work.send_signal(sign)
    out, err = work.communicate(timeout=LIMIT_S)
    assert len(started) >= 3
    if sign == signal.SIGINT:
        assert (work.returncode, out.splitlines()[-1], err) == (0, "interrupted", "")
    # After SIGKILL, Python's resource tracker removes the shared memory of the killed and says so.
    assert not re.sub(r"^.*resource_tracker.*\n( .*\n)?", "", err, flags=re.M)
    until = time.monotonic() + LIMIT_S
    while alive(started) and time.monotonic() < until:
        time.sleep(0.05)
    assert alive(started) == []


def descendants(parent: int) -> list[int]:
    """The processes that `parent` and its children started."""
    tasks = Path(f"/proc/{parent}/task").glob("*/children")
    children = [int(pid) for task in tasks for pid in task.read_text().split()]
    return children + [pid for child in children for pid in descendants(child)]


def alive(pids: list[int]) -> list[int]:
    """Those that run; one that ended and was not waited for is a zombie, Z."""
    states = {}
    for pid in pids:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            states[pid] = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return [pid for pid, state in states.items() if state != "Z"]
