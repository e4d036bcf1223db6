"""Connections to the file of an index, and SQLite's errors as clear errors.

The write-ahead log is synced at every commit, so a completed write survives a crash
(https://www.sqlite.org/wal.html).
"""

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from weft.index.database import FILE, REBUILD, IndexFileError

PATIENCE = 60.0
"""Seconds for which a writer waits for other writers."""


@contextmanager
def clear_errors(path: Path) -> Iterator[None]:
    """Within it SQLite's errors become one clear IndexFileError."""
    try:
        yield
    except sqlite3.OperationalError as error:
        reason = str(error)
        if "locked" in reason or "busy" in reason:
            reason = f"other processes have been writing it for {PATIENCE:.0f} s"
        elif "readonly" in reason or "unable to open" in reason:
            reason = f"cannot be written or opened: {reason}"
        elif "disk I/O" in reason or "is full" in reason:
            reason = f"cannot be written: {reason}"
        elif "no such" in reason:
            reason = f"is damaged or no index ({reason}); {REBUILD}"
        raise IndexFileError(f"{path}: {reason}") from None
    except (sqlite3.DatabaseError, OverflowError) as error:
        raise IndexFileError(f"{path}: is damaged: {error}; {REBUILD}") from None


def connect_to_read(path: Path) -> sqlite3.Connection:
    """Like `connect`; works also on a read-only disk, where nobody can write. Raises sqlite3.Error."""
    connection = None
    try:
        connection = connect(path)
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        return connection
    except sqlite3.Error as error:
        if connection is not None:
            connection.close()
        log = path.with_name(f"{path.name}-wal")
        logged = log.exists() and log.stat().st_size
        if logged or not isinstance(error, sqlite3.OperationalError):
            raise
        return connect(path, "ro&immutable=1")  # the log cannot be opened beside it


def connect(path: Path, mode: str = "rw") -> sqlite3.Connection:
    """Opens a connection. mode: rw, or rwc to create the file. Raises sqlite3.Error."""
    connection = sqlite3.connect(
        f"file:{quote(os.fsencode(path.absolute()))}?mode={mode}",
        uri=True,
        timeout=PATIENCE,
        check_same_thread=False,
        isolation_level=None,
    )
    try:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute("PRAGMA trusted_schema = OFF")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection, kind: str = "IMMEDIATE") -> Iterator[None]:
    """All statements inside are committed together, or none. kind: DEFERRED for reading only."""
    connection.execute(f"BEGIN {kind}")
    try:
        yield
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


class Database:
    """Two connections to an open index, one for reading and one for writing, for all threads of a process."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self._reader = _Held(self.path, connect_to_read)
        self._writer = _Held(self.path, connect)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """All reads inside see the same state."""
        with (
            clear_errors(self.path),
            self._reader.use() as connection,
            transaction(connection, "DEFERRED"),
        ):
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """All writes inside are durable at the end, or none is made."""
        with clear_errors(self.path), self._writer.use() as connection, transaction(connection):
            yield connection

    @contextmanager
    def apart(self) -> Iterator[sqlite3.Connection]:
        """Like `reading`, on a separate connection, so that a long read delays no search."""
        with (
            clear_errors(self.path),
            closing(connect_to_read(self.path)) as connection,
            transaction(connection, "DEFERRED"),
        ):
            yield connection

    def close(self) -> None:
        self._reader.close()
        self._writer.close()


class _Held:
    """A connection that one thread at a time uses. It is opened again in a forked process, and if another file is
    at its path.

    SQLite does not allow a forked process to use or close a connection of its parent, so it is left open.
    """

    def __init__(self, path: Path, connect: Callable[[Path], sqlite3.Connection]) -> None:
        self._path = path
        self._connect = connect
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._of: tuple[int, int, int] | None = None
        self._inherited: list[sqlite3.Connection] = []

    @contextmanager
    def use(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            key = _identity(self._path)
            if self._connection is None or key != self._of:
                self.close()
                self._connection, self._of = self._connect(self._path), key
            yield self._connection

    def close(self) -> None:
        with self._lock:
            if self._connection is not None and self._of is not None:
                if self._of[0] == os.getpid():
                    self._connection.close()
                else:
                    self._inherited.append(self._connection)
            self._connection = None


def _identity(path: Path) -> tuple[int, int, int]:
    """The process, and the file at `path`. Raises IndexFileError if there is no file."""
    try:
        found = os.stat(path)
    except OSError as error:
        raise IndexFileError(
            f"{path}: {'no such file' if isinstance(error, FileNotFoundError) else error.strerror}; {REBUILD}"
        ) from None
    return os.getpid(), found.st_dev, found.st_ino
