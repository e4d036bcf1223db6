"""The results as lines of text, and docs/benchmarks.md with its plot."""

import datetime
import os
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from benchmarks.measure import Comparison

PACKAGES = (
    "weft",
    "torch",
    "open_clip_torch",
    "transformers",
    "torchvision",
    "webdataset",
    "numpy",
)


@dataclass(frozen=True)
class Measured:
    """A comparison, the line that it belongs to, and the cores that it was measured on."""

    line: str
    cores: int
    comparison: Comparison


def machine() -> str:
    """Processor, cores, device, versions and date."""
    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ", no GPU"
    versions = ", ".join(f"{name} {_version(name)}" for name in PACKAGES)
    cores = len(os.sched_getaffinity(0))
    today = datetime.datetime.now(datetime.UTC).date()
    return (
        f"{_processor()}, {cores} cores, {torch.backends.cpu.get_cpu_capability()}{gpu}; "
        f"Python {platform.python_version()}, {versions}; {today}"
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
    return (
        f"{where}  {found.what:44s} {found.ratio:7.2f}x ({found.low:.2f}-{found.high:.2f})"
        f"{aim}{mark}  ours {found.ours:.4g} {found.unit}, theirs {found.theirs:.4g}{note}"
    )


def write(measured: list[Measured]) -> list[Path]:
    """Writes docs/benchmarks.md and its plot; returns their paths."""
    raise NotImplementedError


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
