"""A lock so that one process at a time writes into a folder."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from weft.core.errors import WeftError
from weft.core.files import require_file

LOCK = ".lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Makes `folder` and locks it: no other process on any host that sees the folder can hold the lock.

    If nothing was written, the folders that were made are removed at the end. The operating system releases the
    lock when the process ends, however it ends. On a system without such locks (Windows) there is no lock. Raises
    WeftError if another process holds the folder.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    try:
        made = _made(folder)
        file = _opened(folder / LOCK)
    except OSError as error:
        raise WeftError(f"{folder / LOCK}: cannot be locked: {error.strerror or error}") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not _is_at(
                file, folder / LOCK
            ):  # the previous holder has just removed the lock file
                raise BlockingIOError
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
                if os.listdir(folder) == [LOCK]:
                    (folder / LOCK).unlink()
                    for empty in made:
                        empty.rmdir()


def _made(folder: Path) -> list[Path]:
    """Makes the folder. Returns the folders that did not exist before, the innermost first."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    return missing


def _opened(path: Path) -> IO[str]:
    """Opens the lock file; anything but a regular file at its path is refused."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NONBLOCK, 0o666)
    try:
        require_file(os.fstat(handle).st_mode, path)
    except OSError:
        os.close(handle)
        raise
    return os.fdopen(handle, "r+")


def _is_at(file: IO[str], path: Path) -> bool:
    """Whether the opened file is still the one at `path`."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except FileNotFoundError:
        return False
