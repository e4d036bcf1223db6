"""SIGTERM before the server listens. This module imports nothing slow, since the handler has to be there first."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType


class Terminated(SystemExit):
    """SIGTERM came before the server listens."""


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Inside, SIGTERM ends the process with code 0, also before the server listens.

    What the blocks inside have opened is closed, but the interpreter is not taken down: threads of the runtimes may
    still compute then, and some crash. The kernel drops a signal without a handler if it is for the first process of a
    container.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # in Python only the main thread can set signal handlers
        return
    before = signal.signal(signal.SIGTERM, _stop)
    try:
        yield
    except Terminated:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):  # the reader is gone, or it is closed
                stream.flush()
        os._exit(0)
    finally:
        signal.signal(signal.SIGTERM, before)


def _stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
    raise Terminated(0)
