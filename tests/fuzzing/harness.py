"""Runs commands on damaged files, each in a forked process with a limit of time and memory."""

import collections
import contextlib
import fnmatch
import io
import json
import os
import random
import resource
import select
import shutil
import signal
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from fuzzing.mutations import mutated
from fuzzing.subjects import Subject, lost_in_silence, names_what_it_cannot_use

from weft.cli import main

SECONDS, BYTES = 20, 2 * 2**30
"""More than that for one file is a hang, or a peak."""
FAULTS = ("traceback", "crash", "hang", "peak", "silent")
OUTCOMES = ("refused", "accepted", *FAULTS)
CASES_A_PROCESS = 200


@dataclass(frozen=True)
class Outcome:
    """What came of case `number`: one of OUTCOMES, the kind and name of the file, and what was said."""

    number: int
    kind: str
    file: str
    outcome: str
    said: str


def undamaged(subjects: Sequence[Subject], place: Path) -> dict[str, str]:
    """What the commands make of the undamaged files, by the subject's name."""
    return {subject.name: _whole(subject, place) for subject in subjects}


def run_cases(
    subjects: Sequence[Subject],
    numbers: Sequence[int],
    seed: int,
    place: Path,
    whole: dict[str, str],
) -> Iterator[Outcome]:
    """The outcome of each case; case n is a pure function of (seed, n). whole: see `undamaged`."""
    waiting = collections.deque(numbers)
    while waiting:
        part = [waiting.popleft() for _ in range(min(CASES_A_PROCESS, len(waiting)))]
        while part:
            number, outcome = part[0], None
            for outcome in _in_a_process(subjects, part, seed, place, whole):
                yield outcome
                part.pop(0)
                if outcome.outcome in ("peak", "hang", "crash"):
                    break
            assert outcome is not None, f"case {number} gave nothing"


def _in_a_process(
    subjects: Sequence[Subject],
    numbers: Sequence[int],
    seed: int,
    place: Path,
    whole: dict[str, str],
) -> Iterator[Outcome]:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _child(subjects, numbers, seed, place, whole, writing)
    os.close(writing)
    buffer = b""
    try:
        for number in numbers:
            while b"\n" not in buffer:
                ready, _, _ = select.select([reading], [], [], SECONDS)
                piece = os.read(reading, 2**16) if ready else b""
                if not piece:
                    subject, name = chosen(subjects, seed, number)[:2]
                    kind = "crash" if ready else "hang"
                    yield Outcome(number, subject.name, name, kind, "")
                    return
                buffer += piece
            line, _, buffer = buffer.partition(b"\n")
            yield Outcome(**json.loads(line))
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(reading)


def _child(
    subjects: Sequence[Subject],
    numbers: Sequence[int],
    seed: int,
    place: Path,
    whole: dict[str, str],
    writing: int,
) -> NoReturn:
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)
    for number in numbers:
        outcome = run_case(subjects, seed, number, place, whole)
        os.write(writing, json.dumps(vars(outcome)).encode() + b"\n")
    os._exit(0)


def chosen(
    subjects: Sequence[Subject], seed: int, number: int
) -> tuple[Subject, str, random.Random]:
    """The subject of a case, which of its files is damaged, and what draws the damage."""
    draws = random.Random(f"{seed}/{number}")
    subject = subjects[number % len(subjects)]
    names = sorted(
        str(path.relative_to(subject.folder))
        for path in subject.folder.rglob("*")
        if path.is_file() and not path.is_symlink()
    )
    fitting = [n for n in names if any(fnmatch.fnmatch(n, pattern) for pattern in subject.files)]
    return subject, draws.choice(fitting), draws


def run_case(
    subjects: Sequence[Subject], seed: int, number: int, place: Path, whole: dict[str, str]
) -> Outcome:
    subject, name, draws = chosen(subjects, seed, number)
    folder = place / f"case-{os.getpid()}"
    shutil.copytree(subject.folder, folder)
    path = folder / name
    path.write_bytes(mutated(path.read_bytes(), draws))
    before = _peak()
    try:
        kind, said = _read(subject, folder)
        same = said == whole[subject.name] or names_what_it_cannot_use(said)
        if kind == "accepted" and subject.sealed and not same:
            kind = "silent"
        lost = subject.counted and lost_in_silence(said, whole[subject.name])
        if kind == "accepted" and lost:
            kind = "silent"
        if _peak() > max(before, BYTES):
            kind = "peak"
    finally:
        shutil.rmtree(folder)
    return Outcome(number, subject.name, name, kind, said[-2000:])


def _peak() -> int:
    """The most memory that this process has held, bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _read(subject: Subject, folder: Path) -> tuple[str, str]:
    """Whether the command accepted the folder, refused it or failed, and what it made or said."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(subject.words(folder))
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 1
        except BaseException:
            return "traceback", traceback.format_exc()
    if code == 0:
        return "accepted", subject.result(folder, out.getvalue())
    said = err.getvalue()
    if code != 2 or "Traceback" in said:
        return "traceback", said
    return "refused", said


def _whole(subject: Subject, place: Path) -> str:
    """What the command makes of the undamaged files."""
    folder = place / "undamaged"
    shutil.copytree(subject.folder, folder)
    try:
        kind, said = _read(subject, folder)
        assert kind == "accepted", f"{subject.name}: {said}"
        return said
    finally:
        shutil.rmtree(folder)
