"""The rows of an index and its search structure in memory, kept up to date with the file."""

import json
import logging
import sqlite3
import threading
import time
from typing import NamedTuple

import numpy as np

from weft.core.errors import WeftError
from weft.core.language import say
from weft.index import codes, faiss_structure
from weft.index.connections import Database
from weft.index.database import About, IndexFileError, about, state
from weft.index.rows import Rows, check_count
from weft.index.structure import CACHE, Stopped, Structure, is_stale
from weft.index.verification import Findings, verified
from weft.index.where import Where, allowed_numbers
from weft.index.writing import VECTOR, decoded, rows_of

GROWN = 4
"""A structure is rebuilt when it would have grown by this factor since it was made."""
KEPT_FILTERS = 16
FIRST_PAUSE, LONGEST_PAUSE = 10.0, 3600.0
"""Seconds after a failed rebuild until the next; each failure doubles them."""
log = logging.getLogger("weft.index")


class Seen(NamedTuple):
    """The state that a search uses. allowed: (N,) bool, the rows that may be found; None: all."""

    rows: Rows
    structure: Structure | None
    allowed: np.ndarray | None


class Follower:
    """Shared by all threads of a process. A stale structure is rebuilt in a separate thread while searches
    continue.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._cache = database.path.with_name(CACHE)
        self._lock = threading.Lock()
        self._making = threading.Lock()
        self._thread: threading.Thread | None = None
        self._pause, self._not_before = 0.0, 0.0
        self._closed = threading.Event()
        self._epoch = 0
        self._counted: Rows | None = None
        self._filters: dict[str, tuple[Rows, np.ndarray]] = {}
        with database.reading() as connection:
            self._start(about(connection, database.path))

    def _start(self, now: About) -> None:
        """The start: a saved structure, and no other rows."""
        self.about = now
        generation, self._epoch = now.generation, self._epoch + 1_000_000
        self._structure: Structure | None = None
        self._rows = Rows.none(now.dim, generation, self._epoch)
        if now.kind == "int8":
            kept = codes.load_codes(self._cache, generation)
            if kept is not None:
                self._structure, self._rows = kept, kept.rows()
        elif now.kind != "flat":
            self._structure = faiss_structure.load(self._cache, now.kind, generation)

    def checked(self, connection: sqlite3.Connection) -> About:
        """The present state of the file. Raises IndexFileError if it was built again by other weights."""
        if state(connection).generation == self.about.generation:
            return self.about
        now, path = about(connection, self._database.path), self._database.path
        for name in ("stream", "dim", "weights"):
            found, opened = getattr(now, name), getattr(self.about, name)
            if found != opened:
                raise IndexFileError(
                    f"{path}: was built again and has {name} {found} now, expected {opened} as when it was opened; "
                    "open it again"
                )
        return now

    def _caught_up(self, connection: sqlite3.Connection) -> Rows:
        """The rows at present; call it with the lock held."""
        now = self.checked(connection)
        if now is not self.about:
            self._start(now)
        self._rows = self._rows.caught_up(connection)
        return self._rows

    def seen(self, where: Where | None = None) -> Seen:
        """The present state. Raises WeftError for an invalid filter, and for damage."""
        with self._database.reading() as connection, self._lock:
            rows = self._caught_up(connection)
            if rows is not self._counted:
                check_count(connection, rows)
                self._counted = rows
            allowed = self._allowed(connection, rows, where) if where else None
            structure = self._structure
        if allowed is None and rows.count < len(rows):
            allowed = rows.alive
        if self.about.kind != "flat" and self._may_refresh() and is_stale(rows, structure):
            self._refresh_apart()
        return Seen(rows, structure, allowed)

    def _allowed(self, connection: sqlite3.Connection, rows: Rows, where: Where) -> np.ndarray:
        """(N,) bool; results for the last filters are cached until the next write."""
        key = json.dumps(where, sort_keys=True, default=repr)
        kept = self._filters.get(key)
        if kept is None or kept[0] is not rows:
            kept = rows, rows.mask(allowed_numbers(connection, where))
        self._filters.pop(key, None)
        self._filters[key] = kept  # the last one, now
        for old in list(self._filters)[:-KEPT_FILTERS]:
            del self._filters[old]
        return kept[1]

    def vectors(self, rows: Rows, places: np.ndarray) -> np.ndarray:
        """(M, E) float32; zeros for rows that no longer exist."""
        if rows.first == 0:
            return np.asarray(rows.vectors[places])
        found = np.zeros((len(places), self.about.dim), np.float32)
        behind = places >= rows.first
        found[behind] = rows.vectors[places[behind] - rows.first]
        numbers = rows.numbers[places[~behind]]
        at = {
            int(number): place
            for number, place in zip(numbers, np.flatnonzero(~behind), strict=True)
        }
        with self._database.reading() as connection:
            if state(connection).generation != rows.at.generation:
                return found
            kept = list(rows_of(connection, f"SELECT {VECTOR} FROM vectors", list(at)))
            vectors = decoded(kept, self.about.dim)
        for row, vector in zip(kept, vectors, strict=True):
            found[at[row[0]]] = vector
        return found

    def _may_refresh(self) -> bool:
        return self._thread is None and time.monotonic() >= self._not_before

    def _refresh_apart(self) -> None:
        with self._lock:
            if not self._may_refresh() or self._closed.is_set():
                return
            self._thread = threading.Thread(target=self._refreshed, name="weft-index")
            self._thread.start()

    def _refreshed(self) -> None:
        pause = min(max(2 * self._pause, FIRST_PAUSE), LONGEST_PAUSE)
        try:
            self.refresh(lambda: self._closed.is_set() or not threading.main_thread().is_alive())
            pause = 0.0
        except (WeftError, OSError) as error:  # searches go on without it
            log.warning("%s", say(str(error)))
        finally:
            with self._lock:
                self._pause, self._not_before = pause, time.monotonic() + pause
                self._thread = None

    def refresh(self, stopped: Stopped = lambda: False) -> None:
        """Makes or extends the structure if it is stale, and saves it. Raises WeftError."""
        if self.about.kind == "flat":
            return
        with self._making:
            rows, structure, _ = self._seen_alone()
            if not is_stale(rows, structure):
                return
            made = self._made(rows, structure, stopped)
            if made is None:
                return
            with self._lock:
                if self.about.generation != rows.at.generation:
                    return
                self._structure = made
                if isinstance(made, codes.Codes):
                    self._rows = made.rows()
            made.save(self._cache)

    def _seen_alone(self) -> Seen:
        with self._database.reading() as connection, self._lock:
            return Seen(self._caught_up(connection), self._structure, None)

    def _made(self, rows: Rows, structure: Structure | None, stopped: Stopped) -> Structure | None:
        if self.about.kind == "int8":
            with self._database.apart() as connection:
                if not codes.write_codes(connection, self._cache, stopped):
                    return None
            return codes.load_codes(self._cache, rows.at.generation)
        faiss_structure.require_faiss(self.about.kind)
        if isinstance(structure, faiss_structure.FaissStructure):
            alive = rows.count
            if structure.size < alive < GROWN * structure.size:
                return structure.extended(rows, stopped)
        return faiss_structure.build(rows, self.about.kind, stopped)

    def verified(self) -> Findings:
        """See `Index.verify`."""
        with self._database.apart() as connection:
            with self._lock:
                try:
                    rows: Rows | None = self._caught_up(connection)
                    structure: Structure | None = self._structure
                except sqlite3.DatabaseError:
                    rows, structure = None, None
            return verified(connection, rows, structure, self.about.dim)

    def close(self) -> None:
        self._closed.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()
