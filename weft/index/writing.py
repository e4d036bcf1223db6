"""Converts entries to rows of the database, and back."""

import hashlib
import json
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

import numpy as np
import torch

from weft.core.errors import WeftError, brief
from weft.core.samples import group_key
from weft.index.records import Changed, Entry, Preview, Scalar, check_entry, type_of, unit_vectors

CHUNK = 1000
"""Entries that are written together, and numbers that are queried together."""
VECTOR = "number, vectors.item, vector, checksum"
"""Columns of the table `vectors`, in the order of `decoded`."""
TABLES = ("entries", "vectors", "previews", "cells")


def write(connection: sqlite3.Connection, entries: Iterable[Entry], dim: int) -> Changed:
    """Adds the entries within a transaction; an entry with a known id replaces the old one.

    Raises WeftError for vectors of another dimension, and for metadata of another type than its column.
    """
    added = replaced = 0
    columns = {
        name: (number, kind)
        for number, name, kind in connection.execute("SELECT number, name, type FROM columns")
    }
    remaining = iter(entries)
    while chunk := list(islice(remaining, CHUNK)):
        vectors = _vectors(chunk, dim)
        for entry, vector in zip(chunk, vectors, strict=True):
            known = _remove_one(connection, entry.id)
            replaced, added = replaced + known, added + (not known)
            _write_one(connection, entry, vector.tobytes(), columns)
    _count(connection, added)
    return Changed(added, replaced)


def _vectors(entries: Sequence[Entry], dim: int) -> np.ndarray:
    for entry in entries:
        check_entry(entry)
        if entry.vector.shape != (dim,):
            raise WeftError(
                f"entry {brief(entry.id)}: its vector has shape {tuple(entry.vector.shape)}, expected ({dim},)"
            )
    stacked = torch.stack([entry.vector.detach().cpu().float() for entry in entries])
    return unit_vectors(stacked, dim, f"entries from {brief(entries[0].id)}").numpy()


def _write_one(
    connection: sqlite3.Connection,
    entry: Entry,
    vector: bytes,
    columns: dict[str, tuple[int, str]],
) -> None:
    item = entry.item or entry.id
    cells = {
        name: value for name, value in entry.metadata.items() if type_of(value, "") is not None
    }
    number = connection.execute(
        "INSERT INTO entries(id, item, source, text, digest) VALUES (?, ?, ?, ?, ?)",
        (entry.id, item, entry.source, entry.text, digest_of(entry, item, cells)),
    ).lastrowid
    assert number is not None
    key = group_key(item)
    connection.execute(
        "INSERT INTO vectors VALUES (?, ?, ?, ?)",
        (number, key, vector, vector_checksum(number, key, vector)),
    )
    if entry.preview is not None:
        connection.execute(
            "INSERT INTO previews VALUES (?, ?, ?, ?)",
            (number, *entry.preview[::-1], preview_checksum(number, entry.preview)),
        )
    connection.executemany(
        "INSERT INTO cells VALUES (?, ?, ?)",
        [
            (number, _column(connection, entry, name, value, columns), value)
            for name, value in cells.items()
        ],
    )


def _column(
    connection: sqlite3.Connection,
    entry: Entry,
    name: str,
    value: Scalar | None,
    columns: dict[str, tuple[int, str]],
) -> int:
    """The number of the column; a new column is created."""
    kind = type_of(value, "")
    if name not in columns:
        made = connection.execute("INSERT INTO columns(name, type) VALUES (?, ?)", (name, kind))
        columns[name] = int(made.lastrowid or 0), str(kind)
    number, expected = columns[name]
    if kind != expected:
        raise WeftError(
            f"entry {brief(entry.id)}: column {brief(name)} is {brief(value)}, expected a {expected} as in the "
            "other entries"
        )
    return number


def remove(connection: sqlite3.Connection, ids: Iterable[str]) -> int:
    """Removes the entries with these ids; returns how many there were."""
    removed = sum(_remove_one(connection, name) for name in dict.fromkeys(ids))
    _count(connection, -removed)
    return removed


def _count(connection: sqlite3.Connection, change: int) -> None:
    """Updates the stored number of entries, by which a search notices lost ones."""
    connection.execute(
        "INSERT INTO about VALUES ('count', ?) ON CONFLICT(name) DO UPDATE SET value = value + ?",
        (change, change),
    )


def _remove_one(connection: sqlite3.Connection, name: str) -> bool:
    row = connection.execute("SELECT number FROM entries WHERE id = ?", (name,)).fetchone()
    if row is None:
        return False
    for table in TABLES:
        connection.execute(f"DELETE FROM {table} WHERE number = ?", row)
    connection.execute("INSERT INTO removed(number) VALUES (?)", row)
    return True


def digest_of(entry: Entry, item: str, cells: Mapping[str, Scalar | None]) -> bytes:
    """8 bytes over all fields of a row except its vector and its preview, to detect damage."""
    # True and 1 are one value to SQLite.
    values = sorted((n, int(v) if isinstance(v, bool) else v) for n, v in cells.items())
    said = json.dumps([entry.id, item, entry.source, entry.text, values])
    return hashlib.blake2b(said.encode(), digest_size=8).digest()


def vector_checksum(number: int, item: int, vector: bytes) -> int:
    """A checksum of the vector and its row number."""
    return zlib.crc32(vector, (number ^ item) & 0xFFFFFFFF)


def preview_checksum(number: int, preview: Preview) -> int:
    """Like `vector_checksum`, for a preview."""
    return zlib.crc32(preview.data, zlib.crc32(preview.media_type.encode(), number & 0xFFFFFFFF))


def read(connection: sqlite3.Connection, numbers: Sequence[int]) -> dict[int, Entry]:
    """number -> its entry without vector and preview, for existing rows. Raises sqlite3.DatabaseError if one is
    damaged.
    """
    found: dict[int, Entry] = {}
    cells = _cells(connection, numbers)
    for number, name, item, source, text, digest in rows_of(
        connection, "SELECT number, id, item, source, text, digest FROM entries", numbers
    ):
        entry = Entry(name, torch.empty(0), item, source, cells.get(number, {}), text)
        if digest_of(entry, item, entry.metadata) != digest:
            raise damaged_row(number)
        found[number] = entry
    return found


def read_preview(connection: sqlite3.Connection, number: int) -> Preview | None:
    """The preview of that row, if it has one. Raises sqlite3.DatabaseError if it is damaged."""
    row = connection.execute(
        "SELECT data, media_type, checksum FROM previews WHERE number = ?", (number,)
    ).fetchone()
    if row is None:
        return None
    preview = Preview(*row[:2])
    if preview_checksum(number, preview) != row[2]:
        raise damaged_row(number)
    return preview


def damaged_row(number: int) -> sqlite3.DatabaseError:
    """The error for a row that differs from what was written, in the wording of SQLite's own errors."""
    return sqlite3.DatabaseError(
        f"row {number} is not as it was written; `weft index verify` lists all such rows"
    )


def _cells(
    connection: sqlite3.Connection, numbers: Sequence[int]
) -> dict[int, dict[str, Scalar | None]]:
    names = {
        number: (name, kind)
        for number, name, kind in connection.execute("SELECT number, name, type FROM columns")
    }
    found: dict[int, dict[str, Scalar | None]] = {}
    for number, column, value in rows_of(
        connection, "SELECT number, column, value FROM cells", numbers
    ):
        name, kind = names[column]
        found.setdefault(number, {})[name] = bool(value) if kind == "bool" else value
    return found


def rows_of(
    connection: sqlite3.Connection, query: str, keys: Sequence[int | str], key: str = "number"
) -> Iterator[tuple]:  # type: ignore[type-arg]
    """The rows of a query whose `key` is one of these."""
    for start in range(0, len(keys), CHUNK):
        part = keys[start : start + CHUNK]
        places = ", ".join("?" * len(part))
        yield from connection.execute(f"{query} WHERE {key} IN ({places})", part)


def decoded(rows: Sequence[tuple[int, int, bytes, int]], dim: int) -> np.ndarray:
    """(R, E) float32 from rows of the table `vectors`. Raises sqlite3.DatabaseError if one is damaged."""
    for number, item, vector, checksum in rows:
        if len(vector) != 4 * dim or vector_checksum(number, item, vector) != checksum:
            raise damaged_row(number)
    return np.frombuffer(b"".join(row[2] for row in rows), "<f4").reshape(len(rows), dim)
