"""IVF and HNSW of faiss (Douze et al. 2024, arXiv:2401.08281) as search structures.

The effort of a search (efSearch of HNSW, nprobe of IVF) is chosen when the structure is made: the least that finds
the share RECALL of an exact search, for queries that are as far from the vectors as those of another stream.
"""

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from weft.core.errors import MissingExtraError
from weft.index import cache_file, flat
from weft.index.rows import Rows
from weft.index.structure import Stopped

EFFORTS = {
    "hnsw": (64, 96, 128, 192, 256, 384, 512, 1024),
    "ivf": (4, 8, 16, 32, 64, 128, 256, 512),
}
RECALL, AT = 0.995, 10
SAMPLES = 300
NOISE = 0.5
"""Length of the noise that is added to a vector of the index, to make a query for the choice of the effort."""
LINKS, CONSTRUCTION = 32, 40
"""M and efConstruction of HNSW."""
CELLS_BY_ROOT = 4
"""Number of IVF cells divided by the square root of the number of rows, from faiss's guide to choosing an index."""
TRAINED_ON = 64
"""Rows per cell from which the cells are computed."""
AT_ONCE = 2000
"""Rows that are added before the next check whether to stop."""


def require_faiss(kind: str) -> None:
    """Raises MissingExtraError if faiss is not installed."""
    if importlib.util.find_spec("faiss") is None:
        raise MissingExtraError("faiss", extra="index", purpose=f"an index of kind {kind}")


class FaissStructure:
    """index: a faiss index over the vectors of the rows `numbers`, in that order. effort: see the module; None if
    none is enough, and all rows are compared.
    """

    def __init__(
        self, kind: str, index: Any, numbers: np.ndarray, effort: int | None, generation: str
    ) -> None:
        self.kind = kind
        self.effort = effort
        self._index = index
        self._numbers = numbers
        self._generation = generation
        self._placed: tuple[int, np.ndarray, bool] = -1, numbers, False

    @property
    def last(self) -> int:
        return int(self._numbers[-1])

    @property
    def size(self) -> int:
        return len(self._numbers)

    def nearest(
        self, rows: Rows, queries_QE: Tensor, count: int, allowed: np.ndarray | None
    ) -> np.ndarray:
        if self.effort is None:
            held = rows.vectors[: len(rows) if allowed is None else len(allowed)]
            return flat.nearest(held, queries_QE, count, allowed)
        places, whole = self._places(rows)
        mask = None if whole and allowed is None else self._mask(places, allowed)
        if mask is not None and not mask.any():
            return np.zeros((len(queries_QE), 0), np.int64)
        share = 1.0 if mask is None else max(float(mask.mean()), 1e-3)
        found = _search(self._index, queries_QE, count, int(self.effort / share), mask)
        return np.where(found >= 0, places[found], -1)

    def _places(self, rows: Rows) -> tuple[np.ndarray, bool]:
        """(J,) the position of each of its rows, -1 for removed rows; and whether none is removed."""
        epoch, places, whole = self._placed
        if epoch != rows.epoch:
            at = np.searchsorted(rows.numbers, self._numbers).clip(max=len(rows) - 1)
            there = rows.numbers[at] == self._numbers
            places, whole = np.where(there, at, -1), bool(there.all())
            self._placed = rows.epoch, places, whole
        return places, whole

    def _mask(self, places: np.ndarray, allowed: np.ndarray | None) -> np.ndarray:
        """(J,) bool: which of its rows may be found."""
        mask = places >= 0
        if allowed is not None:
            mask[mask] = allowed[places[mask]]
        return mask

    def missing(self, rows: Rows) -> np.ndarray:
        end = int(np.searchsorted(rows.numbers, self.last, side="right"))
        there = np.isin(rows.numbers[:end], self._numbers)
        return np.asarray(rows.numbers[:end][rows.alive[:end] & ~there])

    def extended(self, rows: Rows, stopped: Stopped) -> "FaissStructure | None":
        """The structure with the new rows added; None if it was stopped."""
        import faiss

        end = int(np.searchsorted(rows.numbers, self.last, side="right"))
        index = faiss.clone_index(self._index)
        if not _add(index, rows.vectors[end:], stopped):
            return None
        numbers = np.concatenate([self._numbers, rows.numbers[end:]])
        return FaissStructure(self.kind, index, numbers, self.effort, self._generation)

    def save(self, path: Path) -> None:
        import faiss

        data = faiss.serialize_index(self._index)
        about = {"kind": self.kind, "generation": self._generation, "effort": self.effort}
        shapes = {"numbers": ("<i8", self._numbers.shape), "faiss": ("|u1", data.shape)}
        with cache_file.written(path, about, shapes) as arrays:
            arrays["numbers"][:], arrays["faiss"][:] = self._numbers, data


def load(path: Path, kind: str, generation: str) -> FaissStructure | None:
    """Loads the output of `save`; None if it belongs to another index, is damaged, or faiss is not installed."""
    found = cache_file.read(path, {"kind": kind, "generation": generation})
    if found is None or importlib.util.find_spec("faiss") is None:
        return None
    import faiss

    about, arrays = found
    index = faiss.deserialize_index(np.array(arrays["faiss"]))
    return FaissStructure(kind, index, np.array(arrays["numbers"]), about["effort"], generation)


def build(rows: Rows, kind: str, stopped: Stopped) -> FaissStructure | None:
    """A structure over the rows that are not removed; None if it was stopped, or there are no rows."""
    import faiss

    numbers = rows.numbers[rows.alive].copy()
    vectors = rows.vectors if rows.count == len(rows) else rows.vectors[rows.alive]
    count, dim = vectors.shape
    if not count:
        return None
    if kind == "hnsw":
        index = faiss.IndexHNSWFlat(dim, LINKS, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = CONSTRUCTION
    else:
        cells = max(1, min(int(CELLS_BY_ROOT * count**0.5), count // 39))
        index = faiss.index_factory(dim, f"IVF{cells},Flat", faiss.METRIC_INNER_PRODUCT)
        drawn = np.random.default_rng(0).permutation(count)[: TRAINED_ON * cells]
        index.train(np.ascontiguousarray(vectors[np.sort(drawn)]))
    if not _add(index, vectors, stopped):
        return None
    return FaissStructure(kind, index, numbers, _effort(index, kind, vectors), rows.at.generation)


def _add(index: Any, vectors: np.ndarray, stopped: Stopped) -> bool:
    for start in range(0, len(vectors), AT_ONCE):
        if stopped():
            return False
        index.add(np.ascontiguousarray(vectors[start : start + AT_ONCE]))
    return True


def _effort(index: Any, kind: str, vectors: np.ndarray) -> int | None:
    """The least effort that finds the share RECALL of the AT nearest."""
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randperm(len(vectors), generator=generator)[:SAMPLES].numpy()
    known = torch.from_numpy(np.ascontiguousarray(vectors[drawn]))
    noise = F.normalize(torch.randn(known.shape, generator=generator), dim=1)
    queries = F.normalize(known + NOISE * noise, dim=1)
    exact = flat.nearest(vectors, queries, AT, None)
    for effort in EFFORTS[kind]:
        found = _search(index, queries, AT, effort, None)
        hits = sum(len(np.intersect1d(a, b)) for a, b in zip(found, exact, strict=True))
        if hits >= RECALL * exact.size:
            return effort
    return None


def _search(
    index: Any, queries_QE: Tensor, count: int, effort: int, mask: np.ndarray | None
) -> np.ndarray:
    """(Q, count) positions in the structure, -1 if there are fewer."""
    import faiss

    words: dict[str, Any] = {}
    if mask is not None:
        packed = np.packbits(mask, bitorder="little")
        words["sel"] = faiss.IDSelectorBitmap(packed)
    if isinstance(index, faiss.IndexIVF):
        parameters = faiss.SearchParametersIVF(nprobe=min(effort, index.nlist), **words)
    else:
        parameters = faiss.SearchParametersHNSW(efSearch=max(effort, 2 * count), **words)
    found = index.search(queries_QE.numpy(), min(count, index.ntotal), params=parameters)[1]
    return np.asarray(found)
