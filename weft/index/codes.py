"""Vectors as 8-bit codes in a memory-mapped file: a quarter of their size, and not loaded into memory.

A code is the vector divided by its largest component, times 127, rounded; a row's scale is that component divided
by 127. Codes find candidates; scores are computed from the vectors in the database.
"""

import sqlite3
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from weft.index import cache_file
from weft.index.database import State, about, state
from weft.index.rows import Rows
from weft.index.structure import Stopped
from weft.index.writing import decoded

CHUNK = 1024
"""Rows that are read, or compared, at once, so that they fit into the processor's cache."""
SCORES = 2**22
"""Maximum number of scores in memory."""
SPARE, LEAST_SPARE = 2, 20
"""Candidates beyond the wanted number, as a factor and as a minimum, to make up for the rounding."""
CHECKED = ("numbers", "items", "scales")
"""Arrays whose checksum is compared when the file is opened. A wrong code can lose a candidate, but gives no wrong
score.
"""


@dataclass(frozen=True, eq=False)
class Codes:
    """numbers, items: (N,) int64, scales: (N,) float32, codes: (N, E) int8, all in a file. at: the State of the
    database.
    """

    numbers: np.ndarray
    items: np.ndarray
    scales: np.ndarray
    codes: np.ndarray
    at: State

    @property
    def last(self) -> int:
        return int(self.numbers[-1]) if len(self.numbers) else 0

    @property
    def size(self) -> int:
        return len(self.numbers)

    def rows(self) -> Rows:
        """The rows of the file, without vectors in memory."""
        vectors = np.zeros((0, self.codes.shape[1]), np.float32)
        return Rows(
            self.numbers, self.items, vectors, np.ones(self.size, bool), self.at, first=self.size
        )

    def missing(self, rows: Rows) -> np.ndarray:  # noqa: ARG002
        return np.zeros(0, np.int64)

    def save(self, path: Path) -> None:
        """Does nothing, since the codes are already in their file."""

    def nearest(
        self,
        rows: Rows,  # noqa: ARG002
        queries_QE: Tensor,
        count: int,
        allowed: np.ndarray | None,
    ) -> np.ndarray:
        wanted = min(SPARE * count + LEAST_SPARE, self.size)
        places = None if allowed is None else np.flatnonzero(allowed[: self.size])
        total = self.size if places is None else len(places)
        scores = torch.empty(len(queries_QE), 0)
        found = torch.empty(len(queries_QE), 0, dtype=torch.int64)
        block = max(CHUNK, SCORES // max(1, len(queries_QE)))
        for start in range(0, total, block):
            end = min(start + block, total)
            of_block = self._scores(
                queries_QE, slice(start, end) if places is None else places[start:end]
            )
            best = of_block.topk(min(wanted, end - start), dim=1)
            scores = torch.cat([scores, best.values], dim=1)
            found = torch.cat([found, best.indices + start], dim=1)
            if scores.shape[1] > wanted:
                scores, kept = scores.topk(wanted, dim=1)
                found = found.gather(1, kept)
        return found.numpy() if places is None else np.asarray(places[found.numpy()])

    def _scores(self, queries_QE: Tensor, at: slice | np.ndarray) -> Tensor:
        """(Q, R) the products of the queries and these rows."""
        codes, scales = self.codes[at], torch.from_numpy(np.asarray(self.scales[at]))
        scores = torch.empty(len(queries_QE), len(codes))
        for start in range(0, len(codes), CHUNK):
            part = torch.from_numpy(np.asarray(codes[start : start + CHUNK])).float()
            torch.mm(queries_QE, part.T, out=scores[:, start : start + len(part)])
        return scores.mul_(scales)


def write_codes(connection: sqlite3.Connection, path: Path, stopped: Stopped) -> bool:
    """Writes the codes of all rows, one chunk in memory at a time, within a read transaction. False if it was
    stopped.
    """
    holds, at = about(connection, path), state(connection)
    (count,) = connection.execute("SELECT count(*) FROM vectors").fetchone()
    said = {"kind": "int8", "generation": at.generation, "at": list(at)}
    shapes = {
        "numbers": ("<i8", (count,)),
        "items": ("<i8", (count,)),
        "scales": ("<f4", (count,)),
        "codes": ("|i1", (count, holds.dim)),
    }
    try:
        with cache_file.written(path, said, shapes) as arrays:
            _fill(connection, arrays, holds.dim, stopped)
    except _StoppedError:
        return False
    return True


class _StoppedError(Exception):
    pass


def _fill(
    connection: sqlite3.Connection, arrays: dict[str, np.ndarray], dim: int, stopped: Stopped
) -> None:
    cursor = connection.execute(
        "SELECT number, item, vector, checksum FROM vectors ORDER BY number"
    )
    place = 0
    while chunk := cursor.fetchmany(CHUNK):
        if stopped():
            raise _StoppedError
        part = slice(place, place + len(chunk))
        vectors = decoded(chunk, dim)
        scales = np.abs(vectors).max(1) / 127
        arrays["numbers"][part] = [row[0] for row in chunk]
        arrays["items"][part] = [row[1] for row in chunk]
        arrays["scales"][part] = scales
        arrays["codes"][part] = np.rint(vectors / scales[:, None])
        place += len(chunk)


def load_codes(path: Path, generation: str) -> Codes | None:
    """The codes of this generation; None if there are none, or they are damaged."""
    found = cache_file.read(path, {"kind": "int8", "generation": generation}, CHECKED)
    if found is None:
        return None
    said, arrays = found
    return Codes(**arrays, at=State(*said["at"]))
