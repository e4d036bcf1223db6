"""Weft beside its peers: python -m benchmarks [LINE ...] [--cores one all] [--device cuda] [--write]

Each line runs in processes of its own, once pinned to one core and once on all of them. Within a line
both sides take turns in one process (A B, B A, ...), or processes of both sides take turns. Printed are
the medians, the median ratio and its quartiles.
"""

import argparse
import json
import os
import pkgutil
import subprocess
import sys
from dataclasses import asdict
from importlib import import_module

from benchmarks import lines, page
from benchmarks.measure import Comparison, Measured, Setting, pin, thread_environment

RESULT = "RESULT "
ON_A_GPU = ("gpu_step", "gradient_cache")
"""Lines that --device cuda runs where none is named."""


def main() -> int:
    known = sorted(info.name for info in pkgutil.iter_modules(lines.__path__))
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("lines", nargs="*", metavar="LINE", help=f"of: {', '.join(known)}")
    parser.add_argument("--cores", nargs="+", choices=("one", "all"), default=["one", "all"])
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--write", action="store_true", help="put the results into docs/")
    parser.add_argument("--here", type=int, metavar="THREADS", help=argparse.SUPPRESS)
    options = parser.parse_args()
    unknown = sorted(set(options.lines) - set(known))
    if unknown:
        parser.error(f"no line {unknown[0]!r}, expected some of {', '.join(known)}")
    chosen = options.lines or (known if options.device == "cpu" else list(ON_A_GPU))
    if options.here is not None:
        measure_here(chosen[0], Setting(options.here, options.device, options.rounds))
        return 0
    counts = {"one": 1, "all": len(os.sched_getaffinity(0))}
    measured: list[Measured] = []
    failed: list[str] = []
    print(page.machine())
    for name in chosen:
        for cores in options.cores:
            found = measure_apart(name, Setting(counts[cores], options.device, options.rounds))
            if found is None:
                failed.append(f"{name}, {cores} core{'s' if cores == 'all' else ''}")
                continue
            for comparison in found:
                measured.append(Measured(name, counts[cores], comparison))
                print(page.printed(measured[-1]), flush=True)
        if options.write:
            page.write(
                measured
            )  # after each line, so that a run that is cut off leaves what it has
    for line in failed:
        print(f"failed: {line}", file=sys.stderr)
    return 1 if failed else 0


def measure_here(name: str, setting: Setting) -> None:
    """Measures in this process and prints the results for the one that started it."""
    import torch

    torch.set_num_threads(setting.threads)
    for comparison in import_module(f"benchmarks.lines.{name}").measure(setting):
        print(RESULT + json.dumps(asdict(comparison)), flush=True)


def measure_apart(name: str, setting: Setting) -> list[Comparison] | None:
    """Measures in a process of its own, pinned from its first instruction on; None if it failed."""
    words = [name, "--here", str(setting.threads), "--device", setting.device]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", *words, "--rounds", str(setting.rounds)],
        env={**os.environ, **thread_environment(setting.threads)},
        preexec_fn=lambda: pin(setting.threads),
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        return None
    rows = [row for row in done.stdout.splitlines() if row.startswith(RESULT)]
    return [Comparison(**json.loads(row.removeprefix(RESULT))) for row in rows]


if __name__ == "__main__":
    sys.exit(main())
