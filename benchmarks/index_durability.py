"""Writers of an index that are killed, and many at once: python -m benchmarks.index_durability [--kills 50]

Killed: a process adds and removes entries one at a time and says so after each; SIGKILL ends it at a random moment. Then
every entry that it said was added must be there, every one that it said was removed must not, and `verify` must find
nothing. Together: 8 processes add 1,000 entries each to one index; then all must be there.
"""

import argparse
import contextlib
import multiprocessing
import os
import random
import signal
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

import torch

from weft.index import Entry, Index

DIM = 32
CONTEXT = multiprocessing.get_context("forkserver")


def entry(name: str) -> Entry:
    return Entry(name, torch.randn(DIM), metadata={"length": len(name)}, text=name)


def write_until_killed(folder: str, name: str, told: Connection) -> None:
    """Says `+id` after an entry was added, `?id` before one is removed and `-id` after."""
    torch.set_num_threads(1)
    with Index.open(folder) as index:
        number = 0
        while True:
            index.add([entry(f"{name}-{number}")])
            told.send(f"+{name}-{number}")
            if number % 5 == 4:
                gone = f"{name}-{number - 3}"
                told.send(f"?{gone}")
                index.remove([gone])
                told.send(f"-{gone}")
            number += 1


def killed(folder: Path, name: str, seconds: float) -> tuple[int, list[str]]:
    """How many writes were acknowledged, and what became of them otherwise than was said."""
    ours, theirs = CONTEXT.Pipe(duplex=False)
    process = CONTEXT.Process(target=write_until_killed, args=(str(folder), name, theirs))
    process.start()
    theirs.close()
    told = [ours.recv()]  # it writes by now
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if ours.poll(max(0.0, until - time.monotonic())):
            told.append(ours.recv())
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join()
    with contextlib.suppress(EOFError):  # the end of what it said before it was killed
        while True:
            told.append(ours.recv())
    ours.close()
    added, maybe_gone, gone = ({one[1:] for one in told if one[0] == mark} for mark in "+?-")
    with Index.open(folder) as index:
        there = set(index.ids())
        findings = index.verify()
    wrong = [f"lost {one}" for one in added - maybe_gone - there]
    wrong += [f"back again {one}" for one in gone & there]
    wrong += [] if findings.whole else [str(findings)]
    return len(added) + len(gone), wrong


def write_many(folder: str, name: str, count: int, at_once: int) -> None:
    torch.set_num_threads(1)
    with Index.open(folder) as index:
        for start in range(0, count, at_once):
            index.add([entry(f"{name}-{n}") for n in range(start, start + at_once)])


def together(folder: Path, writers: int, count: int, at_once: int = 1) -> list[int]:
    """The exit codes of so many processes that each add `count` entries, `at_once` in a transaction."""
    found = [
        CONTEXT.Process(target=write_many, args=(str(folder), f"w{n}", count, at_once))
        for n in range(writers)
    ]
    for process in found:
        process.start()
    for process in found:
        process.join()
    return [process.exitcode or 0 for process in found]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--writers", type=int, default=8)
    parser.add_argument("--items", type=int, default=1000)
    options = parser.parse_args()
    CONTEXT.set_forkserver_preload(["weft.index"])
    draw = random.Random(0)
    with tempfile.TemporaryDirectory(dir=".") as place:
        folder = Path(place)
        Index.create(folder / "killed", dim=DIM, stream="text").close()
        writes = 0
        wrong: list[str] = []
        for kill in range(options.kills):
            acknowledged, found = killed(folder / "killed", f"k{kill}", draw.uniform(0.05, 1.0))
            writes, wrong = writes + acknowledged, wrong + found
        print(f"{options.kills} kills, {writes:,} acknowledged writes, {len(wrong)} lost or undone")
        for one in wrong:
            print(f"  {one}")
        Index.create(folder / "many", dim=DIM, stream="text").close()
        began = time.perf_counter()
        codes = together(folder / "many", options.writers, options.items)
        took = time.perf_counter() - began
        with Index.open(folder / "many") as index:
            findings = index.verify()
            print(
                f"{options.writers} writers x {options.items:,} items, one a transaction, in {took:.0f} s: "
                f"{len(index):,} entries, {len(findings.lost)} lost, {len(findings.ghosts)} ghosts, "
                f"{len(findings.damaged)} damaged, exit codes {sorted(set(codes))}"
            )


if __name__ == "__main__":
    main()
