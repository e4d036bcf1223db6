"""The results as lines of text, and docs/benchmarks.md with its plot."""

import datetime
import json
import os
import platform
from dataclasses import asdict
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from benchmarks.measure import Comparison, Measured
from benchmarks.plot import plot
from weft.core.files import write_text

DOCS = Path(__file__).parent.parent / "docs"
PAGE = """# Benchmarks

Here you find how much time and memory Weft needs beside its peers: open_clip, transformers, webdataset and others. Run it on
your machine:

```sh
make bench                                        # all lines
make bench BENCH="clip_step --cores one"          # one line
make bench BENCH="--write"                        # all lines, and this page anew
make bench BENCH="--device cuda --cores all"      # ViT-B/32 and ViT-B/16 on a GPU, and gradient caching
```

The command works on a fresh clone. It first sets up an environment of its own with the peers in it. It prints everything on this page.

How to read the table:

- **ratio**: for times, how many times faster Weft is (above 1 is better). For memory and imports, the share of the peer's
  cost (below 1 is better). It is the median over rounds of the two sides' ratio in the same round, with its quartiles.
- Differences of gradients, PSNR and the memory of `gradient_cache` are values, not ratios of the two sides.
- **ours, theirs**: the medians of Weft and of the peer, with the unit.
- **aim**: the ratio that was asked for, and whether it is reached.

How it is measured:

- Each line runs in processes of its own, pinned to one core and then on all cores.
- Both sides take turns (A B, B A, ...) in one process, or in fresh processes where memory or imports are measured.
- The first lines of a file in `benchmarks/lines/` describe the line.
- Timings are compared within a run only; tests never time anything.
- `benchmarks/digits_coherence.py` is run by itself, on trained runs: it trains MVTCAE of multivae on the same data and compares. It needs
  `pip install multivae` in the benchmark environment, which Weft does not depend on.

Measured on:

{machines}

![Times better than the peer](benchmarks.svg)

| line | cores | quantity | ratio (quartiles) | aim | ours | theirs | note |
|---|---|---|---|---|---|---|---|
{table}
"""

PACKAGES = (
    "weft",
    "torch",
    "open_clip_torch",
    "transformers",
    "torchvision",
    "webdataset",
    "numpy",
    "librosa",
    "decord",
    "torchcodec",
)


@cache
def machine() -> str:
    """Processor, cores, device, versions and date, and how busy the machine was when it was asked first."""
    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ", no GPU"
    versions = ", ".join(f"{name} {_version(name)}" for name in PACKAGES)
    cores = len(os.sched_getaffinity(0))
    today = datetime.datetime.now(datetime.UTC).date()
    return (
        f"{_processor()}, {cores} cores, {torch.backends.cpu.get_cpu_capability()}{gpu}; "
        f"Python {platform.python_version()}, {versions}; {today}; "
        f"load average {os.getloadavg()[0]:.1f} at the start"
    )


def printed(measured: Measured) -> str:
    """One result on one line."""
    found = measured.comparison
    where = f"{measured.line:16s} {measured.cores} core{'s' if measured.cores > 1 else ' '}"
    if found.ratio is None:
        return f"{where}  {found.what:44s} not measured: {found.note}"
    aim = "" if found.at_least is None else f" (asked >= {found.at_least:g})"
    aim = aim if found.at_most is None else f" (asked <= {found.at_most:g})"
    mark = {True: " reached", False: " NOT REACHED", None: ""}[found.reached]
    note = f"  [{found.note}]" if found.note else ""
    if found.kind == "value":
        spread = "" if found.low == found.high else f" ({found.low:.3g}-{found.high:.3g})"
        said = f"{found.ratio:7.3g} {found.unit}{spread}{aim}{mark}"
        return f"{where}  {found.what:44s} {said}{note}"
    return (
        f"{where}  {found.what:44s} {found.ratio:7.2f}x ({found.low:.2f}-{found.high:.2f})"
        f"{aim}{mark}  ours {found.ours:.4g} {found.unit}, theirs {found.theirs:.4g}{note}"
    )


def write(measured: list[Measured], folder: Path = DOCS) -> list[Path]:
    """Puts the results into benchmarks.json, and writes benchmarks.md and its plot from all in there.

    What was measured before and not now stays, with its own date and machine.
    """
    store = folder / "benchmarks.json"
    kept: list[dict[str, Any]] = json.loads(store.read_text()) if store.exists() else []
    now = {(m.line, m.cores) for m in measured}
    kept = [row for row in kept if (row["line"], row["cores"]) not in now]
    kept += [{**asdict(m), "machine": machine()} for m in measured]
    kept.sort(key=lambda row: (row["line"], row["cores"]))
    write_text(store, json.dumps(kept, indent=1) + "\n")
    rows = [Measured(r["line"], r["cores"], Comparison(**r["comparison"])) for r in kept]
    write_text(folder / "benchmarks.svg", plot(rows))
    table = [_row(measured) for measured in rows]
    machines = "\n".join(f"- {name}" for name in sorted({row["machine"] for row in kept}))
    write_text(folder / "benchmarks.md", PAGE.format(machines=machines, table="\n".join(table)))
    return [folder / f"benchmarks.{kind}" for kind in ("md", "json", "svg")]


def _row(measured: Measured) -> str:
    found = measured.comparison
    start = f"| `{measured.line}` | {measured.cores} | {found.what} |"
    if found.ratio is None:
        return f"{start} not measured | | | | {found.note} |"
    aim = "" if found.at_least is None else f"at least {found.at_least:g}"
    aim = aim if found.at_most is None else f"at most {found.at_most:g}"
    aim += {True: ", reached", False: ", **not reached**", None: ""}[found.reached]
    unit = f" {found.unit}" if found.kind == "value" and found.unit else ""
    spread = "" if found.low == found.high else f" ({found.low:.3g}–{found.high:.3g})"
    ratio = f"{found.ratio:.3g}{unit}{spread}"
    medians = f"{found.ours:.4g} | {found.theirs:.4g} {found.unit}" if found.ours else " | "
    return f"{start} {ratio} | {aim} | {medians} | {found.note} |"


def _processor() -> str:
    try:
        with open("/proc/cpuinfo") as lines:
            return (
                next(line for line in lines if line.startswith("model name")).split(": ")[1].strip()
            )
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"
