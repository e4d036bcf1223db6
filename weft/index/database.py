"""The file of an index: a SQLite database, its tables, and what goes wrong with one.

A row's number is never used again and rows are never changed: an entry that is replaced gets a new number. So an
open index catches up with what other threads and processes wrote by reading the rows above the last number that
it knows and the marks of what was removed since. The write-ahead log is synced at every commit, so a
write that has returned outlives a crash (https://www.sqlite.org/wal.html).
"""

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from weft.core.documents import checksum
from weft.core.errors import WeftError

FILE = "index.db"
FORMAT = "1"
PATIENCE = 60.0
"""Seconds that a writer waits for the others."""
REBUILD = "build it again with: weft index build RUN"
SCHEMA = """
CREATE TABLE about(name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE entries(
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, item TEXT NOT NULL,
    source TEXT NOT NULL, text TEXT, digest BLOB NOT NULL);
CREATE TABLE vectors(
    number INTEGER PRIMARY KEY, item INTEGER NOT NULL, vector BLOB NOT NULL, checksum INTEGER NOT NULL);
CREATE TABLE previews(
    number INTEGER PRIMARY KEY, media_type TEXT NOT NULL, data BLOB NOT NULL, checksum INTEGER NOT NULL);
CREATE TABLE columns(number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, type TEXT NOT NULL);
CREATE TABLE cells(
    number INTEGER NOT NULL, column INTEGER NOT NULL, value NOT NULL, PRIMARY KEY(number, column)
    ) WITHOUT ROWID;
CREATE INDEX values_of_column ON cells(column, value, number);
CREATE TABLE cutoffs(
    stream TEXT PRIMARY KEY, made TEXT NOT NULL, threshold REAL NOT NULL, weight REAL NOT NULL, known BLOB NOT NULL);
CREATE TABLE removed(mark INTEGER PRIMARY KEY AUTOINCREMENT, number INTEGER NOT NULL);
"""
"""about: what stands in `About`, and how many entries there are. cutoffs: a `Cutoff` for each stream of queries, its known ones float32, and a mark
that is drawn with it. entries: the digest is of all that the row says, with its metadata.
vectors: item is `group_key` of the entry's item, the vector float32; checksums are CRC-32. cells: the metadata.
removed: a mark for each row that was taken away, in that order. SQLite itself notices damage of its pages only where
their structure breaks."""


class About(NamedTuple):
    """What an index holds. dim: E. weights: the checksum of the weights that embedded it, where it is known."""

    kind: str
    dim: int
    stream: str
    weights: str | None
    generation: str
    """Drawn anew whenever the whole content is replaced."""


class State(NamedTuple):
    """How far the file is: the generation, the last number given to a row, the last mark of a removal."""

    generation: str
    number: int
    mark: int


@contextmanager
def clear_errors(path: Path) -> Iterator[None]:
    """What SQLite raises inside becomes one clear WeftError."""
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
        raise WeftError(f"{path}: {reason}") from None
    except (sqlite3.DatabaseError, OverflowError) as error:
        raise WeftError(f"{path}: is damaged: {error}; {REBUILD}") from None


def connect_to_read(path: Path) -> sqlite3.Connection:
    """As `connect`; on a read-only disk too, where nobody can be writing. Raises sqlite3.Error."""
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
    """mode: rw, or rwc to make the file. Raises sqlite3.Error."""
    connection = sqlite3.connect(
        f"file:{quote(str(path.absolute()))}?mode={mode}",
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
    """All of what is done inside is kept, or nothing. kind: DEFERRED of what only reads."""
    connection.execute(f"BEGIN {kind}")
    try:
        yield
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def about(connection: sqlite3.Connection, path: Path) -> About:
    """Raises WeftError where the file is no index, or of another format."""
    found = dict(connection.execute("SELECT name, value FROM about"))
    sealed = {name: found.get(name) for name in ("format", *About._fields)}
    if found.get("format") != FORMAT:
        raise WeftError(
            f"{path}: has format {found.get('format')!r}, expected {FORMAT!r}; {REBUILD}"
        )
    if found.get("checksum") != checksum(sealed):
        raise WeftError(f"{path}: is damaged: it does not say what it holds; {REBUILD}")
    try:
        return About(
            str(found["kind"]),
            int(found["dim"]),
            str(found["stream"]),
            found["weights"],
            str(found["generation"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise WeftError(
            f"{path}: is damaged: it does not say what it holds ({error}); {REBUILD}"
        ) from None


def written_about(holds: About) -> dict[str, str | None]:
    """The rows of the table `about`."""
    said = {name: None if value is None else str(value) for name, value in holds._asdict().items()}
    sealed = {"format": FORMAT, **said}
    return {**sealed, "checksum": checksum(sealed)}


def state(connection: sqlite3.Connection) -> State:
    """One cheap look."""
    row = connection.execute(
        "SELECT (SELECT value FROM about WHERE name = 'generation'),"
        " (SELECT seq FROM sqlite_sequence WHERE name = 'entries'),"
        " (SELECT seq FROM sqlite_sequence WHERE name = 'removed')"
    ).fetchone()
    return State(str(row[0]), row[1] or 0, row[2] or 0)


class Database:
    """Two connections to an open index, one that reads and one that writes, for all threads of a process."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self._reader = _Held(self.path, connect_to_read)
        self._writer = _Held(self.path, connect)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Everything read inside is of one moment."""
        with (
            clear_errors(self.path),
            self._reader.use() as connection,
            transaction(connection, "DEFERRED"),
        ):
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """What is written inside is durable at the end, or none of it is there."""
        with clear_errors(self.path), self._writer.use() as connection, transaction(connection):
            yield connection

    @contextmanager
    def apart(self) -> Iterator[sqlite3.Connection]:
        """As `reading`, of a connection of its own, so that what takes long holds up no search."""
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
    """A connection that one thread at a time uses; opened anew in a forked process, and where another file lies there."""

    def __init__(self, path: Path, connect: Callable[[Path], sqlite3.Connection]) -> None:
        self._path = path
        self._connect = connect
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._of: tuple[int, int, int] | None = None

    @contextmanager
    def use(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            key = _identity(self._path)
            if self._connection is None or key != self._of:
                if self._of is not None and self._of[0] == key[0]:
                    self.close()
                self._connection, self._of = self._connect(self._path), key
            yield self._connection

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
            self._connection = None


def _identity(path: Path) -> tuple[int, int, int]:
    """The process, and the file at `path`. Raises WeftError where there is none."""
    try:
        found = os.stat(path)
    except OSError as error:
        raise WeftError(
            f"{path}: {'no such file' if isinstance(error, FileNotFoundError) else error.strerror}; {REBUILD}"
        ) from None
    return os.getpid(), found.st_dev, found.st_ino
