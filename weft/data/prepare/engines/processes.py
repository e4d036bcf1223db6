"""Work on all cores: units go to processes of this machine."""

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

FEW_UNITS = 3  # done before another process has started
SINGLE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def cores(workers: int | None) -> int:
    """The number of processes to use: `workers`, or every core that this process may run on."""
    if workers is not None:
        if workers < 1:
            raise ValueError(f"workers is {workers}, expected at least 1")
        return workers
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class Processes:
    """The default engine. One worker, or little work, is done in this process.

    `shared` is sent once to each process. Processes are spawned, not forked: forking a process that
    has threads (torch has) may lock up.
    """

    workers: int

    def run(
        self, function: Callable[[Any, Any], bytes], shared: Any, units: Sequence[Any]
    ) -> Iterator[tuple[int, bytes]]:
        """See Engine. Raises WeftError where a process is killed."""
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
    """Few units wait at a time, so that an error or an interrupt ends the work at once."""
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
    """A parent that is killed cannot end its workers; they must not stay and wait for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def _work(unit: Any) -> bytes:
    if _FUNCTION is None:
        raise RuntimeError("this process was not started by Processes")
    return _FUNCTION(_SHARED, unit)
