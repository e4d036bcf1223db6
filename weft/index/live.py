"""`Index`: a folder of searchable entries, open for searching and writing at the same time."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from weft.core.errors import WeftError, brief
from weft.core.shapes import check_shape
from weft.index.connections import Database
from weft.index.creation import create
from weft.index.cutoff import Cutoff
from weft.index.cutoff_table import CutoffTable
from weft.index.database import FILE, REBUILD, State, state
from weft.index.following import Follower
from weft.index.ranking import Candidates, ranked
from weft.index.records import Changed, Column, Entry, Hit, Kind, Preview
from weft.index.structure import nearest
from weft.index.verification import Findings
from weft.index.where import Where, columns
from weft.index.writing import VECTOR, decoded, read, read_preview, remove, rows_of, write

ATTEMPTS = 5
"""Number of attempts of a search whose entries are removed before they can be read."""


class Index:
    """Every write is durable when it returns. A search sees all earlier writes of any thread or process."""

    def __init__(self, folder: Path | str) -> None:
        """Opens the index in `folder`. Raises WeftError if there is none, or if it is damaged."""
        self.folder = Path(folder)
        if not (self.folder / FILE).is_file() or not (self.folder / FILE).stat().st_size:
            raise WeftError(f"{self.folder}: holds no index; {REBUILD}")
        self._database = Database(self.folder)
        self._follower = Follower(self._database)
        self._cutoffs = CutoffTable()
        self._columns: tuple[State, tuple[Column, ...]] | None = None

    @classmethod
    def open(cls, folder: Path | str) -> "Index":
        return cls(folder)

    @classmethod
    def create(
        cls,
        folder: Path | str,
        *,
        dim: int,
        stream: str,
        weights: str | None = None,
        kind: Kind | None = None,
        entries: Iterable[Entry] = (),
    ) -> "Index":
        """Makes an index with `entries`, and opens it.

        An existing index in the folder stays complete until all entries are written. Then the new content replaces
        it, also in processes that have it open; if it is of other weights or of another stream, they report this.
        weights: the checksum of the weights that embedded the entries. kind: `fitting_kind` if None. Raises
        WeftError if it cannot be written.
        """
        create(Path(folder), dim=dim, stream=stream, weights=weights, kind=kind, entries=entries)
        made = cls(folder)
        made.refresh()
        return made

    @property
    def dim(self) -> int:
        return self._follower.about.dim

    @property
    def stream(self) -> str:
        """The stream of the model that embedded the entries."""
        return self._follower.about.stream

    @property
    def weights(self) -> str | None:
        return self._follower.about.weights

    @property
    def kind(self) -> str:
        return self._follower.about.kind

    def __len__(self) -> int:
        """The number of entries."""
        return self._follower.seen().rows.count

    @property
    def items(self) -> int:
        """The number of different items."""
        rows = self._follower.seen().rows
        return len(np.unique(rows.items[rows.alive]))

    def ids(self) -> list[str]:
        """The ids of all entries, in the order in which they were written."""
        with self._database.reading() as connection:
            return [row[0] for row in connection.execute("SELECT id FROM entries ORDER BY number")]

    def add(self, entries: Iterable[Entry]) -> Changed:
        """Adds all entries or, if it raises WeftError, none. An entry with a known id replaces the old one."""
        entries = list(entries)
        with self._database.writing() as connection:
            return write(connection, entries, self._follower.checked(connection).dim)

    def remove(self, ids: Iterable[str]) -> int:
        """Removes the entries with these ids, all at once; returns how many there were."""
        with self._database.writing() as connection:
            return remove(connection, ids)

    def search(self, queries: Tensor, k: int, *, where: Where | None = None) -> list[list[Hit]]:
        """The k nearest items of each query (Q, E), best first; fewer if there are no more.

        If an item has several entries, the best one is returned. where: see `weft.index.where`. Raises WeftError
        for a filter that does not fit the columns, and for a query of zeros.
        """
        check_shape(queries, "Q E", "queries", E=self.dim)
        if k < 1:
            raise ValueError(f"k is {k}, expected 1 or more")
        queries_QE = queries.detach().to("cpu", torch.float32)
        if not bool((queries_QE.isfinite().all(1) & (queries_QE != 0).any(1)).all()):
            raise WeftError("a query is all zeros, or not numbers, so nothing is near it")
        queries_QE = F.normalize(queries_QE, dim=1)
        found: list[list[Hit] | None] = [None] * len(queries_QE)
        for attempt in range(1, ATTEMPTS + 1):
            left = [number for number, hits in enumerate(found) if hits is None]
            for number, hits in zip(left, self._search(queries_QE[left], k, where), strict=True):
                if attempt == ATTEMPTS or None not in hits:
                    found[number] = [hit for hit in hits if hit is not None]
            if None not in found:
                break
        return [hits or [] for hits in found]

    def _search(self, queries_QE: Tensor, k: int, where: Where | None) -> list[list[Hit | None]]:
        """The hits; None for an entry that was removed meanwhile, also by a new build."""
        rows, structure, allowed = self._follower.seen(where)
        candidates = Candidates(
            lambda wanted, count: nearest(rows, structure, wanted, count, allowed),
            lambda places: self._follower.vectors(rows, places),
            allowed,
        )
        places = ranked(rows, queries_QE, k, candidates)
        numbers = {int(rows.numbers[place]) for found in places for _, place in found}
        with self._database.reading() as connection:
            same = state(connection).generation == rows.at.generation
            entries = read(connection, sorted(numbers)) if same else {}
        return [
            [_hit(score, entries.get(int(rows.numbers[place]))) for score, place in found]
            for found in places
        ]

    def refresh(self) -> None:
        """Makes or extends the search structure now if it is stale; a search does this in the background."""
        self._follower.refresh()

    def vectors(self, ids: Sequence[str]) -> Tensor:
        """(N, E) float32, of unit length. Raises WeftError for an unknown id."""
        query = f"SELECT id, {VECTOR} FROM entries JOIN vectors USING (number)"
        with self._database.reading() as connection:
            rows = list(rows_of(connection, query, list(dict.fromkeys(ids)), "id"))
            vectors = decoded([row[1:] for row in rows], self.dim)
        places = {row[0]: place for place, row in enumerate(rows)}
        for name in ids:
            if name not in places:
                raise WeftError(f"{self.folder}: holds no entry {brief(name)}")
        return torch.from_numpy(vectors[[places[name] for name in ids]].copy())

    def entry(self, name: str) -> Entry | None:
        """The entry with that id."""
        with self._database.reading() as connection:
            row = connection.execute(
                f"SELECT {VECTOR} FROM entries JOIN vectors USING (number) WHERE id = ?",
                (name,),
            ).fetchone()
            if row is None:
                return None
            vector = torch.from_numpy(decoded([row], self.dim)[0].copy())
            found = read(connection, row[:1])[row[0]]
            return replace(found, vector=vector, preview=read_preview(connection, row[0]))

    def entries_from(self, sources: Sequence[str]) -> list[Entry]:
        """The entries with one of these sources, without their vectors and previews."""
        with self._database.reading() as connection:
            query = "SELECT number FROM entries"
            numbers = [row[0] for row in rows_of(connection, query, sources, "source")]
            return list(read(connection, numbers).values())

    def preview(self, name: str) -> Preview | None:
        """The preview of the entry with that id; None if it has none or does not exist."""
        with self._database.reading() as connection:
            row = connection.execute("SELECT number FROM entries WHERE id = ?", (name,)).fetchone()
            return None if row is None else read_preview(connection, row[0])

    def columns(self) -> tuple[Column, ...]:
        """The columns of the metadata, for filters; cached until the next write."""
        with self._database.apart() as connection:
            now = state(connection)
            if self._columns is None or self._columns[0] != now:
                self._columns = now, columns(connection)
            return self._columns[1]

    def cutoff(self, stream: str) -> Cutoff | None:
        """The cut-off for queries of that stream, if it is known."""
        with self._database.reading() as connection:
            return self._cutoffs.read(connection, stream, self.dim)

    @property
    def cutoffs(self) -> tuple[str, ...]:
        """The streams whose queries have a cut-off."""
        with self._database.reading() as connection:
            rows = connection.execute("SELECT stream FROM cutoffs ORDER BY stream")
            return tuple(stream for (stream,) in rows)

    def set_cutoff(self, stream: str, cutoff: Cutoff | None) -> None:
        """Stores the cut-off with the index; None removes it."""
        with self._database.writing() as connection:
            dim = self._follower.checked(connection).dim
            self._cutoffs.write(connection, stream, cutoff, dim)

    def verify(self) -> Findings:
        """Checks every row. Raises WeftError if the file cannot be read at all."""
        return self._follower.verified()

    def close(self) -> None:
        self._follower.close()
        self._database.close()

    def __enter__(self) -> "Index":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Index({self.folder}: {self.kind}, stream {self.stream}, {len(self):,} entries)"


def _hit(score: float, entry: Entry | None) -> Hit | None:
    if entry is None:
        return None
    metadata = {name: value for name, value in entry.metadata.items() if value is not None}
    return Hit(score, entry.id, entry.source, metadata, entry.text)
