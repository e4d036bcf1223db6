"""Requests of many callers become one call of the model.

Some threads run the models, another one searches. While all of them work, requests gather; those that ask the same of the same
run are then answered by one call, as far as their tokens and pixels fit. A thread that is free waits for more requests
only while some that were let in are still being read, and at most `GATHER_SECONDS`.

Calls run beside each other where they share nothing that changes. All other calls run alone.
"""

import asyncio
import collections
import threading
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from weft.inference.preloaded import Size
from weft.serve.refusals import busy
from weft.serve.settings import GATHER_SECONDS, NUMBERS, TOKENS

Work = Callable[[list[Any]], Sequence[Any]]
"""The payloads of several requests -> an answer for each, or the error in its place."""
Observe = Callable[[str, int, float], None]
"""Told what was asked, of how many requests one call was, and how many seconds it took."""


@dataclass(eq=False)
class _Job:
    """One request. key: those of one key may be answered together; None: this one alone. beside: whether its
    call may run while others do."""

    what: str
    key: Hashable
    work: Work
    payload: Any
    size: Size
    beside: bool
    loop: asyncio.AbstractEventLoop
    answer: "asyncio.Future[Any]" = field(init=False)
    given_up: bool = False

    def __post_init__(self) -> None:
        self.answer = self.loop.create_future()


class Batcher:
    """A queue before the threads that work on its requests.

    waiting: maximum number of requests in the queue. gather: seconds. calls: maximum number of calls at the same time.
    """

    def __init__(
        self,
        waiting: int,
        observe: Observe = lambda *_: None,
        gather: float = GATHER_SECONDS,
        calls: int = 1,
    ) -> None:
        self._waiting = waiting
        self._gather_seconds = gather
        self._observe = observe
        self._jobs: collections.deque[_Job] = collections.deque()
        self._changed = threading.Condition()
        self._arriving = 0
        self._running: list[_Job] = []
        """The first request of each call that runs."""
        self._closed = False
        self._seconds = 0.05
        """Mean time of a call, of the last ones."""
        self._threads = [
            threading.Thread(target=self._run, name="weft-model", daemon=True) for _ in range(calls)
        ]
        for thread in self._threads:
            thread.start()

    def __len__(self) -> int:
        return len(self._jobs)

    @contextmanager
    def arriving(self) -> Iterator[None]:
        """Around the reading of a request, which will be asked next; raises RefusedError where the queue is full."""
        if len(self._jobs) + self._arriving >= self._waiting:
            raise busy(
                len(self._jobs) * self._seconds,
                f"{len(self._jobs) + self._arriving} requests wait for the model, expected fewer than {self._waiting}",
            )
        self._arriving += 1  # in the thread of the event loop alone
        try:
            yield
        finally:
            self._arriving -= 1
            with self._changed:
                self._changed.notify_all()

    async def ask(
        self,
        what: str,
        work: Work,
        payload: Any,
        size: Size,
        key: Hashable = None,
        *,
        beside: bool = False,
    ) -> Any:
        """The answer to one request. Raises what the work raised for it. beside: its call may run while others do."""
        job = _Job(what, key, work, payload, size, beside, asyncio.get_running_loop())
        with self._changed:
            self._jobs.append(job)
            self._changed.notify_all()
        try:
            return await job.answer
        finally:
            job.given_up = True

    def close(self) -> None:
        """Answers what waits, then ends the threads."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._may_begin() and not (self._closed and not self._jobs):
                    self._changed.wait()
                if not self._jobs:
                    return
                self._gather()
                batch = self._taken() if self._may_begin() else []
                self._running += batch[:1]
            if batch:
                try:
                    self._answer(batch)
                finally:
                    with self._changed:
                        self._running.remove(batch[0])
                        self._changed.notify_all()

    def _may_begin(self) -> bool:
        """Whether the first request may be worked on now."""
        if not self._jobs:
            return False
        return not self._running or (
            self._jobs[0].beside and all(job.beside for job in self._running)
        )

    def _gather(self) -> None:
        """Waits for requests that are being read, where they may come into the first one's batch."""
        until = time.monotonic() + self._gather_seconds
        while self._arriving and self._jobs and self._jobs[0].key is not None:
            left = until - time.monotonic()
            if left <= 0 or share(self._jobs[0].size) >= 1:
                return
            self._changed.wait(left)

    def _taken(self) -> list[_Job]:
        """The first request and those behind it that fit into one call with it; others keep their places."""
        batch: list[_Job] = []
        left: list[_Job] = []
        size = Size(0, 0, 0)
        for job in self._jobs:
            joined = _joined(size, job.size)
            if job.given_up:
                continue
            if not batch or (
                job.key is not None and job.key == batch[0].key and share(joined) <= 1
            ):
                batch.append(job)
                size = joined
            else:
                left.append(job)
        self._jobs = collections.deque(left)
        return batch

    def _answer(self, batch: list[_Job]) -> None:
        began = time.perf_counter()
        found = _worked(batch[0].work, [job.payload for job in batch])
        took = time.perf_counter() - began
        self._seconds += 0.1 * (took - self._seconds)
        self._observe(batch[0].what, len(batch), took)
        for loop in {job.loop for job in batch}:
            pairs = [(j.answer, f) for j, f in zip(batch, found, strict=True) if j.loop is loop]
            try:
                loop.call_soon_threadsafe(_deliver, pairs)
            except RuntimeError:  # the loop was closed: nobody waits any more
                continue


def share(size: Size) -> float:
    """Of what one call of the model may have: of its tokens and of its pixels, both padded."""
    return size.rows * (size.tokens / TOKENS + size.numbers / NUMBERS)


def _joined(one: Size, other: Size) -> Size:
    return Size(
        one.rows + other.rows, max(one.tokens, other.tokens), max(one.numbers, other.numbers)
    )


def _worked(work: Work, payloads: list[Any]) -> list[Any]:
    """An answer or an error for each; where all together fail, each is tried alone, so that one fails for itself."""
    try:
        found = list(work(payloads))
    except Exception as error:
        if len(payloads) == 1:
            return [error]
        return [one for payload in payloads for one in _worked(work, [payload])]
    if len(found) != len(payloads):
        return [RuntimeError(f"{len(found)} answers to {len(payloads)} requests")] * len(payloads)
    return found


def _deliver(pairs: Sequence[tuple["asyncio.Future[Any]", Any]]) -> None:
    for answer, found in pairs:
        if answer.done():
            continue
        if isinstance(found, Exception):
            answer.set_exception(found)
        else:
            answer.set_result(found)
