"""The vectors of an index in memory, and how they follow the file."""

import sqlite3
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from weft.index.database import State, state
from weft.index.writing import decoded

CHUNK = 4096
ROOM = 1.25
"""Factor by which the arrays grow when they are full."""


@dataclass(frozen=True)
class Rows:
    """N rows at one moment. numbers: (N,) int64, ascending. items: (N,) int64. vectors: (N, E) float32. alive: (N,)
    bool, False for removed rows. at: the state of the file. first: the number of rows at the start whose vectors
    are not in memory; `vectors` are those of the rest. epoch: positions stay valid while it is the same.

    The arrays are views of larger arrays. Rows are only ever appended, so whoever holds a `Rows` sees no change.
    """

    numbers: np.ndarray
    items: np.ndarray
    vectors: np.ndarray
    alive: np.ndarray
    at: State
    first: int = 0
    epoch: int = 0

    @classmethod
    def none(cls, dim: int, generation: str, epoch: int = 0) -> "Rows":
        whole = np.zeros(0, np.int64)
        vectors = np.zeros((0, dim), np.float32)
        return cls(whole, whole, vectors, np.zeros(0, bool), State(generation, 0, 0), epoch=epoch)

    def __len__(self) -> int:
        return len(self.numbers)

    @cached_property
    def count(self) -> int:
        """The number of rows that are not removed."""
        return int(np.count_nonzero(self.alive))

    def places(self, numbers: np.ndarray) -> np.ndarray:
        """The positions of those of the numbers that are present."""
        if not len(self):
            return np.zeros(0, np.int64)
        places = np.searchsorted(self.numbers, numbers).clip(max=len(self) - 1)
        return np.asarray(places[self.numbers[places] == numbers])

    def mask(self, numbers: np.ndarray) -> np.ndarray:
        """(N,) bool: True for the rows with these numbers that are not removed."""
        found = np.zeros(len(self), bool)
        found[self.places(numbers)] = True
        return np.asarray(found & self.alive)

    def caught_up(self, connection: sqlite3.Connection) -> "Rows":
        """The rows with all writes since then, in the same generation. Raises sqlite3.DatabaseError for a damaged
        vector.
        """
        now = state(connection)
        if now == self.at:
            return self
        rows = self
        gone = _removed_since(connection, rows.at.mark)
        if len(places := rows.places(gone)):
            alive = rows.alive.copy()
            alive[places] = False
            rows = replace(rows, alive=alive)
        if rows.first == 0 and len(rows) > CHUNK and rows.count < len(rows) / 2:
            kept = rows.alive
            rows = replace(
                rows,
                numbers=rows.numbers[kept],
                items=rows.items[kept],
                vectors=rows.vectors[kept],
                alive=np.ones(rows.count, bool),
                epoch=rows.epoch + 1,
            )
        return replace(rows._extended(connection), at=now)

    def _extended(self, connection: sqlite3.Connection) -> "Rows":
        after, dim = self.at.number, self.vectors.shape[1]
        (count,) = connection.execute(
            "SELECT count(*) FROM vectors WHERE number > ?", (after,)
        ).fetchone()
        if not count:
            return self
        end, total = len(self), len(self) + count
        numbers, items = (_with_room(array, total) for array in (self.numbers, self.items))
        vectors = _with_room(self.vectors, total - self.first)
        cursor = connection.execute(
            "SELECT number, item, vector, checksum FROM vectors WHERE number > ? ORDER BY number",
            (after,),
        )
        place = end
        while chunk := cursor.fetchmany(CHUNK):
            part = slice(place, place + len(chunk))
            numbers[part] = [row[0] for row in chunk]
            items[part] = [row[1] for row in chunk]
            vectors[place - self.first : place - self.first + len(chunk)] = decoded(chunk, dim)
            place += len(chunk)
        alive = np.concatenate([self.alive, np.ones(count, bool)])
        return replace(
            self,
            numbers=numbers[:total],
            items=items[:total],
            vectors=vectors[: total - self.first],
            alive=alive,
        )


def check_count(connection: sqlite3.Connection, rows: Rows) -> None:
    """Raises sqlite3.DatabaseError if the number of rows is not the number that was written."""
    row = connection.execute("SELECT value FROM about WHERE name = 'count'").fetchone()
    found, expected = rows.count, int(row[0]) if row else 0
    if found != expected:
        raise sqlite3.DatabaseError(f"has {found:,} entries, expected {expected:,}")


def _removed_since(connection: sqlite3.Connection, mark: int) -> np.ndarray:
    rows = connection.execute("SELECT number FROM removed WHERE mark > ?", (mark,))
    return np.fromiter((row[0] for row in rows), np.int64)


def _with_room(array: np.ndarray, rows: int) -> np.ndarray:
    """An array with room for `rows` rows, which starts with the rows of `array`.

    The room behind `array` itself is used if it is large enough, since only the newest `Rows` is ever extended.
    """
    base = array.base
    if (
        type(base) is np.ndarray
        and base.flags.writeable
        and base.shape[1:] == array.shape[1:]
        and len(base) >= rows
    ):
        return base
    made = np.empty((max(rows, int(rows * ROOM)), *array.shape[1:]), array.dtype)
    made[: len(array)] = array
    return made
