"""The stored cut-offs of an index: one for each stream of queries."""

import sqlite3
import uuid

import numpy as np
import torch
from torch import Tensor

from weft.core.errors import brief
from weft.core.shapes import check_shape
from weft.index.cutoff import Cutoff


class CutoffTable:
    """The table `cutoffs` of a database; it caches the known queries of the last read."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, Tensor]] = {}

    def read(self, connection: sqlite3.Connection, stream: str, dim: int) -> Cutoff | None:
        """The cut-off for queries of that stream, or None. Raises sqlite3.DatabaseError if it is damaged."""
        row = connection.execute(
            "SELECT made, threshold, weight FROM cutoffs WHERE stream = ?", (stream,)
        ).fetchone()
        if row is None:
            return None
        made, threshold, weight = row
        known = self._known.get(stream)
        if known is None or known[0] != made:
            (blob,) = connection.execute(
                "SELECT known FROM cutoffs WHERE stream = ?", (stream,)
            ).fetchone()
            if len(blob) % (4 * dim):
                raise sqlite3.DatabaseError(
                    f"the cut-off of {brief(stream)} differs from what was written"
                )
            vectors = torch.from_numpy(np.frombuffer(blob, "<f4").astype(np.float32))
            known = self._known[stream] = made, vectors.view(-1, dim)
        return Cutoff(float(threshold), float(weight), known[1])

    def write(
        self, connection: sqlite3.Connection, stream: str, cutoff: Cutoff | None, dim: int
    ) -> None:
        """Stores the cut-off, within a transaction; None: removes it."""
        connection.execute("DELETE FROM cutoffs WHERE stream = ?", (stream,))
        if cutoff is not None:
            check_shape(cutoff.known, "N E", "known queries", E=dim)
            known = cutoff.known.detach().cpu().float().numpy().astype("<f4").tobytes()
            connection.execute(
                "INSERT INTO cutoffs VALUES (?, ?, ?, ?, ?)",
                (stream, uuid.uuid4().hex, cutoff.threshold, cutoff.weight, known),
            )
