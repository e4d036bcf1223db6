"""python -m tests.fuzzing [--cases 10000] [--seed 0] [--kind NAME ...]

Damages real small files of every kind that Weft reads, gives each to the command that reads it, and
counts what came of it. Exit code 1 where a command failed with a traceback, crashed, took more than
20 s or 2 GiB, or accepted damage that a checksum should have shown.
"""

import argparse
import collections
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "commands"))

from fuzzing.harness import FAULTS, OUTCOMES, Outcome, run_cases, undamaged
from fuzzing.subjects import Subject, subjects


def main() -> int:
    """Prints the faults as they are found, then a table of kinds and outcomes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", nargs="*", help="only these kinds of files")
    parser.add_argument("--case", type=int, nargs="*", help="only these cases, printed whole")
    given = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as place:
        known = subjects(Path(place))
        chosen = [s for s in known if not given.kind or s.name in given.kind]
        if not chosen:
            parser.error(f"--kind is {given.kind}, known: {', '.join(s.name for s in known)}")
        whole = undamaged(chosen, Path(place))
        numbers = given.case or range(given.cases)
        processes = min(len(os.sched_getaffinity(0)), len(numbers))
        outcomes = _in_processes(
            lambda numbers: _work(chosen, numbers, given.seed, Path(place), whole),
            [numbers[n::processes] for n in range(processes)],
        )
    return _summary(outcomes)


def _in_processes(
    work: Callable[[Sequence[int]], list[Outcome]], parts: Sequence[Sequence[int]]
) -> list[Outcome]:
    """What `work` gives for every part, each in a process forked here, so that torch is imported once."""
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    processes = [context.Process(target=lambda part=part: queue.put(work(part))) for part in parts]
    for process in processes:
        process.start()
    outcomes = [outcome for _ in processes for outcome in queue.get()]
    for process in processes:
        process.join()
    return outcomes


def _work(
    chosen: Sequence[Subject], numbers: Sequence[int], seed: int, place: Path, whole: dict[str, str]
) -> list[Outcome]:
    outcomes = []
    for found in run_cases(chosen, numbers, seed, place, whole):
        outcomes.append(found)
        if found.outcome in FAULTS:
            place_of = f"case {found.number}, {found.kind}, {found.file}"
            said = "".join(f"\n    {line}" for line in found.said.splitlines()[-12:])
            print(f"{found.outcome}: {place_of}{said}", flush=True)
    return outcomes


def _summary(outcomes: Sequence[Outcome]) -> int:
    """Prints the table; 1 where there was a fault."""
    counts: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for found in outcomes:
        counts[found.kind][found.outcome] += 1
    width = max(map(len, counts))
    print(" " * width + "".join(f"{outcome:>11}" for outcome in OUTCOMES))
    for kind, of_kind in counts.items():
        print(f"{kind:{width}}" + "".join(f"{of_kind[outcome]:11,}" for outcome in OUTCOMES))
    faults = sum(found.outcome in FAULTS for found in outcomes)
    print(f"{len(outcomes):,} damaged files, {faults:,} faults")
    return int(faults > 0)


if __name__ == "__main__":
    sys.exit(main())
