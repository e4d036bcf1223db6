"""Training that is told to stop writes a checkpoint, and says what is kept and how to go on."""

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
    """A signal ended the work. `number` is the signal's; the message says what is kept."""

    def __init__(self, number: int, message: str = "") -> None:
        super().__init__(message)
        self.number = number


@contextmanager
def interruptible(folder: Path) -> Iterator[None]:
    """Inside, SIGINT and SIGTERM raise Interrupted, which tells of the run in `folder`.

    At once, whatever is being done, but in the loop (see `after_the_step`): files are written whole or not
    at all, and a run goes on from its newest checkpoint to the same bits.
    """
    try:
        with _raising():
            yield
    except Interrupted as error:
        raise Interrupted(error.number, _kept(folder, error.number)) from None


class _Waiting:
    """The signal that waits for the end of a step, if one does. inside: whether there is a step."""

    inside = False
    number: int | None = None


_waiting = _Waiting()


@contextmanager
def after_the_step() -> Iterator[Callable[[], int | None]]:
    """Inside, the first signal waits until the loop asks for it: gives what says its number, or None.

    The second one stops at once. So does the first where several ranks train, which may be at different
    steps when they get it.
    """
    _waiting.inside, _waiting.number = world_size() == 1, None
    try:
        yield lambda: _waiting.number
    finally:
        _waiting.inside, _waiting.number = False, None


@contextmanager
def _raising() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # Python lets the main thread alone handle signals
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
