"""The file of an index: a SQLite database, its tables, and its state.

Row numbers are never used again and rows are never changed: a replaced entry gets a new number. So an open index
follows the writes of other threads and processes by reading the rows above the last number that it knows, and the
removals since then.
"""

import sqlite3
from pathlib import Path
from typing import NamedTuple

from weft.core.documents import checksum
from weft.core.errors import WeftError

FILE = "index.db"
FORMAT = "1"
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
"""The tables of the file.

about: the fields of `About`, and the number of entries. cutoffs: a `Cutoff` for each stream of queries, with its known
ones as float32, and a random mark. entries: the digest covers the whole row with its metadata. vectors: item is the
`group_key` of the entry's item, the vector is float32; checksums are CRC-32. cells: the metadata. removed: a mark for
each removed row, in the order of removal.

The checksums are needed because SQLite notices damage of its pages only if their structure breaks."""


class IndexFileError(WeftError):
    """The file of an index is damaged, cannot be read or written, or has other content now; the query is not at
    fault.
    """


class About(NamedTuple):
    """The description of an index. dim: E. weights: the checksum of the weights that embedded it, if it is known."""

    kind: str
    dim: int
    stream: str
    weights: str | None
    generation: str
    """A random value, new whenever the whole content is replaced."""


class State(NamedTuple):
    """The state of the file: the generation, the last number of a row, the last number of a removal."""

    generation: str
    number: int
    mark: int


def about(connection: sqlite3.Connection, path: Path) -> About:
    """Reads the description. Raises IndexFileError if the file is not an index, or has another format."""
    found = dict(connection.execute("SELECT name, value FROM about"))
    sealed = {name: found.get(name) for name in ("format", *About._fields)}
    if found.get("format") != FORMAT:
        raise IndexFileError(
            f"{path}: has format {found.get('format')!r}, expected {FORMAT!r}; {REBUILD}"
        )
    if found.get("checksum") != checksum(sealed):
        raise IndexFileError(f"{path}: is damaged: it does not say what it holds; {REBUILD}")
    try:
        return About(
            str(found["kind"]),
            int(found["dim"]),
            str(found["stream"]),
            found["weights"],
            str(found["generation"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise IndexFileError(
            f"{path}: is damaged: it does not say what it holds ({error}); {REBUILD}"
        ) from None


def written_about(holds: About) -> dict[str, str | None]:
    """The rows of the table `about`."""
    said = {name: None if value is None else str(value) for name, value in holds._asdict().items()}
    sealed = {"format": FORMAT, **said}
    return {**sealed, "checksum": checksum(sealed)}


def state(connection: sqlite3.Connection) -> State:
    """Reads the state; a cheap query."""
    row = connection.execute(
        "SELECT (SELECT value FROM about WHERE name = 'generation'),"
        " (SELECT seq FROM sqlite_sequence WHERE name = 'entries'),"
        " (SELECT seq FROM sqlite_sequence WHERE name = 'removed')"
    ).fetchone()
    return State(str(row[0]), row[1] or 0, row[2] or 0)
