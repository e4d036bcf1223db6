"""How two sides are compared: turn by turn, so that whatever else the machine does hits both."""

import gc
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch


@dataclass(frozen=True)
class Setting:
    """What a line is measured under. threads: of one process, pinned to as many cores."""

    threads: int
    device: Literal["cpu", "cuda"] = "cpu"
    rounds: int = 9


@dataclass(frozen=True)
class Comparison:
    """One number: the median ratio over rounds, with its quartiles.

    what: the quantity, such as "step, fp32". ours, theirs: medians in `unit`, None where the line
    has no number (then `note` says why). ratio: theirs / ours where more is better (kind "faster", aim
    `at_least`), ours / theirs where less is ("smaller", `at_most`), and a "value" that is no ratio.
    """

    what: str
    kind: Literal["faster", "smaller", "value"] = "faster"
    unit: str = "s"
    ours: float | None = None
    theirs: float | None = None
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    at_least: float | None = None
    at_most: float | None = None
    note: str = ""

    @property
    def reached(self) -> bool | None:
        """Whether the aim is met; None where there is no aim or no number."""
        if self.ratio is None or (self.at_least is None and self.at_most is None):
            return None
        return (self.at_least is None or self.ratio >= self.at_least) and (
            self.at_most is None or self.ratio <= self.at_most
        )


@dataclass(frozen=True)
class Measured:
    """A comparison, the line that it belongs to, and the cores that it was measured on."""

    line: str
    cores: int
    comparison: Comparison


def alternate(
    ours: Callable[[], object],
    theirs: Callable[[], object],
    *,
    rounds: int,
    warmup: int = 1,
    clock: Callable[[Callable[[], object]], float] | None = None,
) -> tuple[list[float], list[float]]:
    """Seconds of both sides, A B, B A, A B, ...: a drift of the machine favours neither."""
    timed = clock or seconds
    for _ in range(warmup):
        ours()
        theirs()
    mine: list[float] = []
    other: list[float] = []
    for turn in range(rounds):
        sides = [(ours, mine), (theirs, other)]
        for work, kept in sides if turn % 2 == 0 else reversed(sides):
            gc.collect()
            kept.append(timed(work))
    return mine, other


def seconds(work: Callable[[], object]) -> float:
    """What one call takes, the device's queue included."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    start = time.perf_counter()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


def faster(
    what: str,
    ours: Sequence[float],
    theirs: Sequence[float],
    *,
    at_least: float | None = None,
    unit: str = "s",
    note: str = "",
) -> Comparison:
    """How many times the peer's cost we save, from the costs of the same rounds."""
    ratios = [t / o for o, t in zip(ours, theirs, strict=True)]
    return _compared(what, ours, theirs, ratios, unit=unit, at_least=at_least, note=note)


def smaller(
    what: str,
    ours: Sequence[float],
    theirs: Sequence[float],
    *,
    at_most: float | None = None,
    unit: str = "MiB",
    note: str = "",
) -> Comparison:
    """Which share of the peer's cost is left."""
    ratios = [o / t for o, t in zip(ours, theirs, strict=True)]
    return _compared(
        what, ours, theirs, ratios, kind="smaller", unit=unit, at_most=at_most, note=note
    )


def value(
    what: str,
    found: float,
    others: Sequence[float] = (),
    *,
    at_least: float | None = None,
    at_most: float | None = None,
    unit: str = "",
    note: str = "",
) -> Comparison:
    """A number that is no ratio, and the range of the `others` that it stands for."""
    return Comparison(
        what,
        kind="value",
        unit=unit,
        ratio=found,
        low=min([found, *others]),
        high=max([found, *others]),
        at_least=at_least,
        at_most=at_most,
        note=note,
    )


def _compared(
    what: str, ours: Sequence[float], theirs: Sequence[float], ratios: list[float], **rest: Any
) -> Comparison:
    # "inclusive" stays within what was seen, however few rounds there were.
    several = len(ratios) > 1
    quartiles = statistics.quantiles(ratios, n=4, method="inclusive") if several else ratios * 3
    return Comparison(
        what,
        ours=statistics.median(ours),
        theirs=statistics.median(theirs),
        ratio=statistics.median(ratios),
        low=quartiles[0],
        high=quartiles[2],
        **rest,
    )


def in_process(module: str, *words: str, threads: int) -> Any:
    """Runs `python -m module words` pinned to `threads` cores; the JSON of its last line.

    For what a process keeps to itself: peak memory, import time.
    """
    done = subprocess.run(
        [sys.executable, "-m", module, *words],
        env={**os.environ, **thread_environment(threads)},
        preexec_fn=lambda: pin(threads),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"python -m {module} {' '.join(words)} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def thread_environment(threads: int) -> dict[str, str]:
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS")
    return dict.fromkeys(names, str(threads))


def pin(threads: int) -> None:
    """Ties this process to the last `threads` of the cores that it may use."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-threads:])


def peak_memory() -> float:
    """The most memory that this process ever held, in MiB."""
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024
