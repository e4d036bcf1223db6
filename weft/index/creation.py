"""Creates an index, and replaces an existing one."""

import importlib.util
import shutil
import sqlite3
import tempfile
import time
import uuid
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from weft.core.errors import WeftError, unknown_name
from weft.core.files import check_writable
from weft.index.connections import clear_errors, connect, transaction
from weft.index.database import FILE, SCHEMA, About, written_about
from weft.index.faiss_structure import require_faiss
from weft.index.records import KINDS, Entry, Kind
from weft.index.writing import write

WORK = ".index-"
"""Prefix of the folders in which indexes are made."""
ABANDONED = 86_400.0
"""Seconds after which such a folder counts as left by a killed process."""
CHECKPOINT_MS = 2000
"""Time limit of a checkpoint of the write-ahead log; after it the log stays as large as the index."""
MANY = 20_000
"""Minimum number of entries for a search structure."""


def check_kind(kind: str | None) -> None:
    """Raises WeftError if it is none of KINDS; None: `fitting_kind`."""
    if kind is not None and kind not in KINDS:
        raise unknown_name("kind of index", kind, KINDS)
    if kind in ("ivf", "hnsw"):
        require_faiss(kind)


def fitting_kind(entries: int) -> Kind:
    """flat; hnsw for at least MANY entries if faiss is installed."""
    return "hnsw" if entries >= MANY and importlib.util.find_spec("faiss") else "flat"


def create(
    folder: Path,
    *,
    dim: int,
    stream: str,
    weights: str | None,
    kind: Kind | None,
    entries: Iterable[Entry],
) -> None:
    """See `Index.create`."""
    check_kind(kind)
    if dim < 1:
        raise WeftError(f"dim is {dim}, expected 1 or more")
    check_writable(folder / FILE)
    folder.mkdir(parents=True, exist_ok=True)
    _clear(folder)
    work = Path(tempfile.mkdtemp(dir=folder, prefix=WORK))
    made = work / FILE
    try:
        with clear_errors(made), closing(connect(made, "rwc")) as connection:
            connection.execute("PRAGMA page_size = 8192")
            connection.execute("PRAGMA journal_mode = OFF")
            connection.execute("PRAGMA synchronous = OFF")
            connection.executescript(SCHEMA)
            with transaction(connection):
                added, replaced = write(connection, entries, dim)
                chosen = kind or fitting_kind(added - replaced)
                holds = About(chosen, dim, stream, weights, uuid.uuid4().hex)
                connection.executemany(
                    "INSERT INTO about VALUES (?, ?)", written_about(holds).items()
                )
        _replace_content(made, folder / FILE)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _clear(folder: Path) -> None:
    """Removes the folders that killed processes have left."""
    for old in folder.glob(f"{WORK}*"):
        if time.time() - old.stat().st_mtime > ABANDONED:
            shutil.rmtree(old, ignore_errors=True)


def _replace_content(source: Path, target: Path) -> None:
    """Replaces the content of the index `target` by that of `source`, at once for every process.

    A file at `target` that is not a database is removed.
    """
    with closing(connect(source)) as made, clear_errors(target):
        try:
            _copy(made, target)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:  # of a file that is damaged nothing is kept
            for suffix in ("", "-wal", "-shm"):
                target.with_name(target.name + suffix).unlink(missing_ok=True)
            _copy(made, target)


def _copy(made: sqlite3.Connection, target: Path) -> None:
    with closing(connect(target, "rwc")) as there:
        there.execute("PRAGMA page_size = 8192")
        there.execute("PRAGMA journal_mode = WAL")
        made.backup(there)
        # All of it is in the log now, which stays as long as somebody has the index open. A reader holds this up for a moment.
        there.execute(f"PRAGMA busy_timeout = {CHECKPOINT_MS}")
        there.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
