"""Progress for people: rate and remaining time on a terminal, otherwise a line from time to time."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from weft.core.language import say

LINE_EVERY_SECONDS = 15.0


class RateColumn(ProgressColumn):
    """Units per second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.1f}/s" if speed else "", style="progress.data.speed")


@contextmanager
def progress(
    description: str, total: int, *, shown: bool = True
) -> Iterator[Callable[[int], None]]:
    """Yields `advance(n)`. All output goes to stderr, so that stdout holds only the result.

    shown: False prints nothing.
    """
    if not shown:
        yield lambda _: None
        return
    if Console(stderr=True).is_terminal:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            RateColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(say(description), total=total)
            yield lambda n: bar.advance(task, n)
        return
    yield _Lines(say(description), total).advance


class _Lines:
    def __init__(self, description: str, total: int) -> None:
        self.description, self.total, self.done = description, total, 0
        self.started = self.last = time.monotonic()

    def advance(self, n: int) -> None:
        self.done += n
        now = time.monotonic()
        if now - self.last >= LINE_EVERY_SECONDS:
            self.last = now
            rate = self.done / (now - self.started)
            left = (self.total - self.done) / rate
            print(
                f"{self.description}: {self.done}/{self.total}, {rate:,.1f}/s, {say(f'{left:.0f} s left')}",
                file=sys.stderr,
            )
