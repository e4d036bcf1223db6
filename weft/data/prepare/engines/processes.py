"""An engine that distributes units to processes of this machine, on all cores."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import connection
from typing import Any

from weft.core.errors import WeftError

FEW_UNITS = 3  # these finish before another process has started
SINGLE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def cores(workers: int | None) -> int:
    """Returns the number of processes to use: `workers`, or all cores that this process may use."""
    if workers is not None:
        if workers < 1:
            raise ValueError(f"workers is {workers}, expected at least 1")
        return workers
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class Processes:
    """The default engine. With one worker, or few units, the work runs in this process.

    `shared` is sent once to each process. Processes are spawned, not forked: forking a process with threads (torch
    has some) may deadlock.
    """

    workers: int

    def run(
        self, function: Callable[[Any, Any], bytes], shared: Any, units: Sequence[Any]
    ) -> Iterator[tuple[int, bytes]]:
        """See Engine. Raises WeftError if a process is killed."""
        if self.workers == 1 or len(units) <= FEW_UNITS:
            for number, unit in enumerate(units):
                yield number, function(shared, unit)
            return
        try:
            with ProcessPoolExecutor(
                min(self.workers, len(units)),
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_start,
                initargs=(function, shared),
            ) as pool:
                yield from _as_finished(pool, units, limit=4 * self.workers)
        except BrokenProcessPool:
            raise WeftError(
                "a worker process was killed, perhaps because memory ran out: use fewer workers"
            ) from None


def _as_finished(
    pool: ProcessPoolExecutor, units: Sequence[Any], limit: int
) -> Iterator[tuple[int, bytes]]:
    """Queues only few units at a time, so that an error or an interrupt ends the work at once."""
    waiting: dict[Future[bytes], int] = {}
    ahead = iter(enumerate(units))
    try:
        while True:
            while len(waiting) < limit and (entry := next(ahead, None)) is not None:
                waiting[pool.submit(_work, entry[1])] = entry[0]
            if not waiting:
                return
            finished, _ = wait(waiting, return_when=FIRST_COMPLETED)
            for future in finished:
                yield waiting.pop(future), future.result()
    finally:
        for future in waiting:
            future.cancel()


_FUNCTION: Callable[[Any, Any], bytes] | None = None
_SHARED: Any = None


def _start(function: Callable[[Any, Any], bytes], shared: Any) -> None:
    global _FUNCTION, _SHARED
    os.environ.update(SINGLE_THREAD)
    _FUNCTION, _SHARED = function, shared
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is interrupted too, and ends the pool
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Ends this worker when its parent dies. A killed parent cannot end its workers, which would wait forever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def _work(unit: Any) -> bytes:
    if _FUNCTION is None:
        raise RuntimeError("this process was not started by Processes")
    return _FUNCTION(_SHARED, unit)
