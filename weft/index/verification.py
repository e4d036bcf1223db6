"""Checks that an index is complete: every entry has its vector, and nothing else is in the file."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from weft.core.language import say
from weft.core.text import counted
from weft.index.rows import Rows
from weft.index.structure import Structure
from weft.index.writing import CHUNK, VECTOR, decoded, read, read_preview

OTHER_TABLES = ("vectors", "previews", "cells")


@dataclass(frozen=True)
class Findings:
    """The result of `Index.verify`.

    lost: ids of entries that no search can find. ghosts: numbers of rows that belong to no entry. damaged: ids, or
    numbers, of rows that differ from what was written. broken: SQLite's own report on the file. behind: entries
    that the search structure does not contain yet; they are searched exactly.
    """

    entries: int
    items: int
    lost: tuple[str, ...] = ()
    ghosts: tuple[int, ...] = ()
    damaged: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()
    behind: int = 0

    @property
    def whole(self) -> bool:
        return not (self.lost or self.ghosts or self.damaged or self.broken)

    def __str__(self) -> str:
        entries, items = counted(self.entries, "entry", "entries"), counted(self.items, "item")
        lines = [
            say(f"{entries}, {items}"),
            say(
                f"{len(self.lost)} lost, {len(self.ghosts)} without an entry, {len(self.damaged)} damaged"
            ),
        ]
        for title, found in (("lost", self.lost), ("damaged", self.damaged), ("file", self.broken)):
            lines += [f"{say(title)}: {one}" for one in found]
        if self.behind:
            lines.append(say(f"{self.behind} not in the search structure yet"))
        return "\n".join(lines)


def verified(
    connection: sqlite3.Connection, rows: Rows | None, structure: Structure | None, dim: int
) -> Findings:
    """Checks every row, within a read transaction. rows, structure: the state that a search uses at present; no
    rows if damage prevents it.
    """
    broken = [
        message
        for (message,) in connection.execute("PRAGMA integrity_check(20)")
        if message != "ok"
    ]
    names = dict(connection.execute("SELECT number, id FROM entries"))
    items = len({item for (item,) in connection.execute("SELECT DISTINCT item FROM entries")})
    of_tables = {
        table: {number for (number,) in connection.execute(f"SELECT number FROM {table}")}
        for table in OTHER_TABLES
    }
    seen = set(names if rows is None else rows.numbers[rows.alive].tolist())
    lost = (names.keys() - of_tables["vectors"]) | (names.keys() - seen)
    behind = 0
    if rows is not None and structure is not None:
        lost |= names.keys() & set(structure.missing(rows).tolist())
        behind = int((rows.numbers > structure.last).sum())
    ghosts = (set().union(*of_tables.values()) | seen) - names.keys()
    damaged = [
        names.get(number, str(number)) for number in _damaged(connection, sorted(names), dim)
    ]
    return Findings(
        len(names),
        items,
        tuple(names[number] for number in sorted(lost)),
        tuple(sorted(ghosts)),
        tuple(damaged),
        tuple(broken),
        behind,
    )


def _damaged(connection: sqlite3.Connection, numbers: list[int], dim: int) -> Iterator[int]:
    """The numbers of the rows that differ from what was written."""
    for start in range(0, len(numbers), CHUNK):
        part = numbers[start : start + CHUNK]
        try:
            _check(connection, part, dim)
        except sqlite3.DatabaseError:
            for number in part:
                try:
                    _check(connection, [number], dim)
                except sqlite3.DatabaseError:
                    yield number


def _check(connection: sqlite3.Connection, numbers: list[int], dim: int) -> None:
    """Raises sqlite3.DatabaseError if one of these consecutive rows is damaged."""
    first, last = numbers[0], numbers[-1]
    vectors = decoded(
        connection.execute(
            f"SELECT {VECTOR} FROM vectors WHERE number BETWEEN ? AND ?",
            (first, last),
        ).fetchall(),
        dim,
    )
    lengths = np.linalg.norm(vectors, axis=1)
    if len(vectors) and not np.allclose(lengths, 1, atol=1e-4):
        raise sqlite3.DatabaseError("a vector is not of unit length")
    read(connection, numbers)
    for number in numbers:
        read_preview(connection, number)
