"""Output of a run while it trains: log.jsonl in its folder; a progress bar or lines on stderr."""

import json
import math
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from weft.core.documents import parse_json
from weft.core.errors import WeftError
from weft.core.files import read_file, write_text
from weft.core.language import say
from weft.core.memory import peak_memory
from weft.core.progress import LINE_EVERY_SECONDS

LOG = "log.jsonl"
"""Name of the log in a run directory."""
COST = ("seconds", "peak_memory")
"""Entries of each line: seconds of training so far, over all resumes; peak memory in bytes, of the GPU if there is
one, otherwise of the process."""


class RunLog:
    """Writes one line of JSON for each logged step, on the first rank only.

    A resume removes the lines after the checkpoint's step, so each step is logged once, however often
    the run was killed. Each line has the time and memory that training has taken so far (see `COST`).
    """

    def __init__(self, folder: Path, *, active: bool = True) -> None:
        self._path = folder / LOG
        self._active = active
        self._began, self._before = time.perf_counter(), 0.0

    def cut(self, step: int) -> None:
        """Removes the lines after `step`, and an incomplete last line."""
        if not self._active:
            return
        lines = (
            read_file(self._path).decode(errors="replace").splitlines()
            if self._path.exists()
            else []
        )
        kept = [line for line in lines if 0 < _step_of(line) <= step]
        write_text(self._path, "".join(f"{line}\n" for line in kept))
        self._before = _seconds_of(kept[-1]) if kept else 0.0

    def write(self, step: int, values: Mapping[str, float]) -> None:
        if not self._active:
            return
        seconds = self._before + time.perf_counter() - self._began
        cost = dict(zip(COST, (round(seconds, 3), peak_memory()), strict=True))
        finite = {k: v if math.isfinite(v) else None for k, v in {**values, **cost}.items()}
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"step": step, **finite}) + "\n")
        except OSError as error:
            raise WeftError(f"{self._path}: cannot be written: {error.strerror}") from error


def _step_of(line: str) -> int:
    try:
        step = parse_json(line, "log")["step"]
    except (WeftError, KeyError, TypeError):
        return 0
    return step if isinstance(step, int) else 0


def _seconds_of(line: str) -> float:
    seconds = parse_json(line, "log").get(COST[0])
    return float(seconds) if isinstance(seconds, int | float) else 0.0


class Display:
    """Shows speed, loss and time left on stderr: a progress bar on a terminal, otherwise lines now and then."""

    def __init__(self, start: int, steps: int, *, active: bool = True) -> None:
        console = Console(stderr=True)
        self._start, self._steps, self._active = start, steps, active
        self._console = console
        self._bar: Progress | None = None
        self._samples = 0
        self._began = time.perf_counter()
        self._said = -math.inf
        if active and console.is_terminal:
            self._bar = Progress(
                TextColumn("training"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.description}"),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                console=console,
            )

    def __enter__(self) -> "Display":
        if self._bar is not None:
            self._bar.start()
            self._task = self._bar.add_task("", total=self._steps, completed=self._start)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    @property
    def samples_per_second(self) -> float:
        """Mean since the start or the resume. The time includes evaluations and checkpoints."""
        return self._samples / max(time.perf_counter() - self._began, 1e-9)

    def advance(self, step: int, samples: int, loss: float) -> None:
        self._samples += samples
        if self._bar is not None:
            text = f"{say('loss')} {loss:.4f}, {say(f'{self.samples_per_second:,.0f} samples/s')}"
            self._bar.update(self._task, completed=step, description=text)

    @property
    def overdue(self) -> bool:
        """Whether no line was printed for LINE_EVERY_SECONDS: steps may be slow, and logged ones far apart."""
        return time.perf_counter() - max(self._said, self._began) >= LINE_EVERY_SECONDS

    def line(self, step: int, loss: float, metrics: Mapping[str, float]) -> None:
        """Prints the progress: always with metrics and at the last step; else now and then, unless there is a bar."""
        now = time.perf_counter()
        rests = self._bar is not None or now - self._said < LINE_EVERY_SECONDS
        if not self._active or (rests and not metrics and step < self._steps):
            return
        self._said = now
        numbers = "".join(f", {name} {value:.4g}" for name, value in metrics.items())
        seconds = time.perf_counter() - self._began
        left = seconds / max(1, step - self._start) * (self._steps - step)
        text = f"{say('step')} {step}/{self._steps}, {say('loss')} {loss:.4f}{numbers}"
        speed = say(f"{self.samples_per_second:,.0f} samples/s")
        rate = f", {speed}, {say(f'{left:.0f} s left')}"
        (self._bar.console if self._bar is not None else self._console).print(
            text if self._bar is not None else text + rate, highlight=False, soft_wrap=True
        )
