"""SIGTERM before the server listens. This module imports nothing slow, since the handler has to be there first."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Inside, SIGTERM ends the process with code 0, also before the server listens.

    The kernel drops a signal without a handler if it is for the first process of a container.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # in Python only the main thread can set signal handlers
        return
    before = signal.signal(signal.SIGTERM, _end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _end(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
    raise SystemExit(0)
