"""Answers requests of many callers with one call of the model.

Some threads run the models, another one searches. Requests wait while all threads are busy. A call then answers all waiting
requests for the same operation of the same run, up to a number of tokens and pixels. A free thread waits for further requests
only while an admitted request is still being read, and at most `GATHER_SECONDS`.

Concurrent calls share nothing that changes, so they run at the same time. All other calls run alone.
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
"""Maps the payloads of several requests to their answers. An error may stand in place of an answer."""
Observe = Callable[[str, int, float], None]
"""Receives the operation, the number of requests in one call, and the call's seconds."""


@dataclass(eq=False)
class _Job:
    """One request. key: requests with the same key may share a call; None: the request has a call of its own.
    concurrent: whether its call may run at the same time as other concurrent calls."""

    what: str
    key: Hashable
    work: Work
    payload: Any
    size: Size
    concurrent: bool
    loop: asyncio.AbstractEventLoop
    answer: "asyncio.Future[Any]" = field(init=False)

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
        """Moving average of a call's time in seconds."""
        self._threads = [
            threading.Thread(target=self._run, name="weft-model", daemon=True) for _ in range(calls)
        ]
        for thread in self._threads:
            thread.start()

    def __len__(self) -> int:
        return len(self._jobs)

    @contextmanager
    def arriving(self) -> Iterator[None]:
        """Surrounds the reading of a request that will be asked next. Raises RefusedError if the queue is full."""
        if len(self._jobs) + self._arriving >= self._waiting:
            raise busy(
                len(self._jobs) * self._seconds,
                f"{len(self._jobs) + self._arriving} requests wait for the model, expected fewer than {self._waiting}",
            )
        self._arriving += 1  # only the event loop's thread changes it
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
        concurrent: bool = False,
    ) -> Any:
        """Returns the answer to one request, or raises the error of its work.

        concurrent: the call may run at the same time as other concurrent calls. A request that is cancelled leaves the
        queue, so that its payload is freed and no other request waits for it.
        """
        job = _Job(what, key, work, payload, size, concurrent, asyncio.get_running_loop())
        with self._changed:
            self._jobs.append(job)
            self._changed.notify_all()
        try:
            return await job.answer
        except asyncio.CancelledError:
            with self._changed:
                if job in self._jobs:
                    self._jobs.remove(job)
                    self._changed.notify_all()
            raise

    def close(self) -> None:
        """Answers all waiting requests, then ends the threads."""
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
            del batch  # a thread that waits would keep its payloads

    def _may_begin(self) -> bool:
        """Whether the first request may be worked on now."""
        if not self._jobs:
            return False
        return not self._running or (
            self._jobs[0].concurrent and all(job.concurrent for job in self._running)
        )

    def _gather(self) -> None:
        """Waits for requests that are being read if they may join the first one's batch."""
        until = time.monotonic() + self._gather_seconds
        while self._arriving and self._jobs and self._jobs[0].key is not None:
            left = until - time.monotonic()
            if left <= 0 or share(self._jobs[0].size) >= 1:
                return
            self._changed.wait(left)

    def _taken(self) -> list[_Job]:
        """Takes the first request and those behind it that fit into the same call. The others keep their order."""
        batch: list[_Job] = []
        left: list[_Job] = []
        size = Size(0, 0, 0)
        for job in self._jobs:
            joined = _joined(size, job.size)
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
            except RuntimeError:  # the loop is closed, so nobody waits for the answer
                continue


def share(size: Size) -> float:
    """The share that a size takes of one call's limits of tokens and pixels, both with padding."""
    return size.rows * (size.tokens / TOKENS + size.numbers / NUMBERS)


def _joined(one: Size, other: Size) -> Size:
    return Size(
        one.rows + other.rows, max(one.tokens, other.tokens), max(one.numbers, other.numbers)
    )


def _worked(work: Work, payloads: list[Any]) -> list[Any]:
    """Returns an answer or an error for each payload.

    If the joint call fails, each payload is tried alone, so that only the bad one fails.
    """
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
