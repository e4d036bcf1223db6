"""A folder that one process at a time may write."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from weft.core.errors import WeftError

LOCK = ".lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Inside, no other process on any host that sees `folder` gets here; makes the folder.

    The system lets go of the lock when the process ends, however it ends. Where it has no such locks
    (Windows), none is taken. Raises WeftError where another process holds the folder.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip()
            raise WeftError(
                f"{folder}: another process ({holder or 'unknown'}) is training into it; wait until it "
                "has ended, or choose another folder"
            ) from None
        except OSError as error:
            raise WeftError(f"{folder}: cannot be locked: {error.strerror}") from None
        file.truncate(0)
        file.write(f"process {os.getpid()} on {os.uname().nodename}\n")
        file.flush()
        try:
            yield
        finally:
            with suppress(OSError):
                file.truncate(0)
