"""On a signal, training writes a checkpoint and stops; the message names it and the command that continues."""

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from weft.core.distributed import rank, world_size
from weft.core.language import say
from weft.training import checkpoint


class Interrupted(KeyboardInterrupt):
    """A signal stopped the run. number: of the signal. The message names the checkpoint that is kept."""

    def __init__(self, number: int, message: str = "") -> None:
        super().__init__(message)
        self.number = number


@contextmanager
def interruptible(folder: Path) -> Iterator[None]:
    """Inside, SIGINT and SIGTERM raise Interrupted with a message about the run in `folder`.

    They are raised at once, except in the training loop, which finishes its step (see `after_the_step`).
    That is safe at any moment: files are written whole or not at all, and a run that is resumed from its
    newest checkpoint gives the same bits.
    """
    try:
        with _raising():
            yield
    except Interrupted as error:
        raise Interrupted(error.number, _kept(folder, error.number)) from None


class _Waiting:
    """number: the signal that waits for the end of the step, or None. inside: whether signals wait now."""

    inside = False
    number: int | None = None


_waiting = _Waiting()


@contextmanager
def after_the_step() -> Iterator[Callable[[], int | None]]:
    """Inside, the first signal only sets a number, which the loop reads with the function that is yielded.

    The function returns the signal's number, or None. A second signal stops at once. With several ranks
    the first one does too, because ranks may receive it at different steps.
    """
    _waiting.inside, _waiting.number = world_size() == 1, None
    try:
        yield lambda: _waiting.number
    finally:
        _waiting.inside, _waiting.number = False, None


@contextmanager
def _raising() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # in Python only the main thread can set signal handlers
        return
    before = {number: signal.signal(number, _stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop(number: int, _: FrameType | None) -> None:
    if not _waiting.inside or _waiting.number is not None:
        raise Interrupted(number)
    _waiting.number = number
    print(
        "\n" + say("stopping: a checkpoint is written after this step; once more stops at once"),
        file=sys.stderr,
    )


def _kept(folder: Path, number: int) -> str:
    if rank() != 0:
        return ""
    newest = checkpoint.latest(folder)
    again = f"weft train --resume {folder}"
    stopped = f"training stopped by {signal.Signals(number).name}"
    if newest is None:
        return f"{stopped} before its first checkpoint: nothing is kept; {again} begins at step 0"
    return f"{stopped}: the checkpoint {newest} is kept; {again} goes on from there"
