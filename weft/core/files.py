"""Files are written completely or not at all, and only regular files are read.

A named pipe, a device or a socket in the place of a file would block the reader for ever or never end. It is
refused by its type before a byte is read.
"""

import errno
import hashlib
import io
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from weft.core.errors import WeftError

LARGEST_FILE = 2 << 30
"""Bytes. A file that is read into memory and holds more is refused."""
_CHUNK = 1 << 20
_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}


def open_file(path: Path | str) -> io.BufferedReader:
    """Opens the regular file `path` for reading. Raises OSError with the file's type if it is not a regular file."""
    require_file(os.stat(path).st_mode, path)
    # Without O_NONBLOCK, open would block if a pipe has replaced the file in the meantime.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    file = os.fdopen(os.open(path, flags), "rb")
    try:
        require_file(os.fstat(file.fileno()).st_mode, path)
    except OSError:
        file.close()
        raise
    return file


def read_file(path: Path | str, limit: int = LARGEST_FILE) -> bytes:
    """The content of the regular file `path`. Raises OSError if it holds more than `limit` bytes."""
    with open_file(path) as file:
        size = os.fstat(file.fileno()).st_size
        data = file.read(size) if size <= limit else b""
        while (
            size <= limit and len(data) <= limit and (more := file.read(_CHUNK))
        ):  # the file grew, or does not report its size
            data += more
    if max(size, len(data)) > limit:
        raise OSError(errno.EFBIG, f"holds more than the limit of {limit:,} bytes", str(path))
    return data


def require_file(mode: int, path: Path | str) -> None:
    """Raises OSError if `mode`, the mode of `path`, is not that of a regular file."""
    if not stat.S_ISREG(mode):
        kind = _KINDS.get(stat.S_IFMT(mode), "no regular file")
        raise OSError(errno.EINVAL, f"is {kind}, expected a file", str(path))


@contextmanager
def atomic_path(path: Path | str, *, private: bool = False) -> Iterator[Path]:
    """Yields a temporary path beside `path`; on success the file is synced and renamed to `path`.

    A reader sees the old file or the new one, never a part of it. On any failure the temporary file is removed and
    the old file stays; a full disk or a missing permission raises one clear WeftError. private: only the user who
    runs this process can read the file.
    """
    path = Path(path)
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        os.close(handle)
        temporary = Path(name)
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o600 if private else 0o666 & ~_umask())
        temporary.replace(path)
        temporary = None
    except OSError as error:
        raise WeftError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def check_writable(path: Path | str, otherwise: str = "", *, folder: bool = False) -> None:
    """Raises WeftError, before hours of work, if no file can be written at `path`.

    otherwise: advice at the end of the message. folder: `path` is a folder that gets new files.
    """
    inside = Path(path) / "file" if folder else Path(path)
    above = inside.parent
    while not above.exists() and above != above.parent:
        above = above.parent
    try:
        if inside.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not above.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        with tempfile.TemporaryFile(dir=above):
            pass
    except OSError as error:
        hint = f"; {otherwise}" if otherwise else ""
        raise WeftError(f"{path}: cannot be written: {error.strerror or error}{hint}") from None


def kept_folder(preferred: Path) -> Path:
    """Folder for results that can be computed again: `preferred`, or, if it is not writable (a run on a read-only
    disk), a folder of the user's cache that belongs to this path alone.
    """
    try:
        check_writable(preferred, folder=True)
    except WeftError:
        name = hashlib.sha256(os.fsencode(preferred.absolute())).hexdigest()[:16]
        return cache_folder() / f"{preferred.name}-{name}"
    return preferred


def cache_folder() -> Path:
    """Folder for results that can be computed again, shared by all runs of a user."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "weft"


def write_bytes(path: Path | str, data: bytes, *, private: bool = False) -> None:
    """Writes `data` to `path` atomically. private: see `atomic_path`."""
    with atomic_path(path, private=private) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path | str, text: str) -> None:
    """Writes `text` to `path` as UTF-8, atomically.

    Half a surrogate pair, as in a file's name that is not Unicode, is written as JSON spells it: \\udcff.
    """
    write_bytes(path, text.encode(errors="backslashreplace"))


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
