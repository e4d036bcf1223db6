"""The 10 nearest of 100,000 vectors of 384 numbers, a query at a time and 64 at a time.

The peer's way is NumPy's brute force: the product of the queries and the matrix, then argpartition. Ours is a whole search
of `weft.index.Index`, with the texts and metadata of the hits read from the database. The vectors lie near a curved
surface of 32 dimensions, with noise, as embeddings do; queries are drawn from the same surface. `hnsw` is what an index
of this size gets by itself.
"""

import statistics
import tempfile
import time
from pathlib import Path

import faiss
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.measure import Comparison, Setting, alternate, faster, value
from weft.index import Entry, Index, Kind

COUNT, DIM, LATENT, K = 100_000, 384, 32, 10
QUERIES, AT_ONCE = 500, 64
KINDS: tuple[Kind, ...] = ("hnsw", "int8", "ivf", "flat")


def measure(setting: Setting) -> list[Comparison]:
    _use(setting.threads)
    every = made(COUNT + QUERIES)
    vectors, queries = every[:COUNT], every[COUNT:]
    matrix = vectors.numpy()
    right = [set(row) for row in brute(matrix, queries.numpy())]
    found: list[Comparison] = []
    for kind in KINDS:
        with tempfile.TemporaryDirectory() as folder:
            before = time.process_time()
            with Index.create(
                Path(folder), dim=DIM, stream="text", kind=kind, entries=entries(vectors)
            ) as index:
                built = time.process_time() - before
                found += _compared(index, matrix, queries, right, setting.rounds)
                found.append(value(f"{kind}: processor time to build", built, unit="s"))
                if kind == KINDS[0]:
                    found += _filtered(index, queries, setting.rounds)
    return found


def _compared(
    index: Index, matrix: np.ndarray, queries: Tensor, right: list[set[int]], rounds: int
) -> list[Comparison]:
    kind, aimed = index.kind, index.kind == "hnsw"
    hits = index.search(queries, K)
    shared = [len(of & {int(hit.id) for hit in row}) for of, row in zip(right, hits, strict=True)]
    recall = sum(shared) / (K * len(right))
    single, several = queries[:50], queries[:AT_ONCE]

    def ours() -> None:
        for query in single:
            index.search(query[None], K)

    def theirs() -> None:
        for query in single:
            brute(matrix, query[None].numpy())

    one = alternate(ours, theirs, rounds=rounds)
    many = alternate(
        lambda: index.search(several, K), lambda: brute(matrix, several.numpy()), rounds=rounds
    )
    per_query = ([1000 * t / len(single) for t in side] for side in one)
    of_many = ([1000 * t / AT_ONCE for t in side] for side in many)
    return [
        value(f"{kind}: recall@{K}", recall, at_least=0.99 if aimed else None),
        faster(f"{kind}: one query", *per_query, unit="ms", at_least=5 if aimed else None),
        faster(f"{kind}: a query of {AT_ONCE}", *of_many, unit="ms"),
    ]


def _filtered(index: Index, queries: Tensor, rounds: int) -> list[Comparison]:
    """Processor time of a search with a filter that is asked first after something was written, and of the same again."""
    found = []
    for passing, where in ((COUNT // 10, {"part": 3}), (9 * COUNT // 10, {"part": {"min": 1}})):
        first: list[float] = []
        again: list[float] = []
        for query in queries[:rounds]:
            index.add([Entry("new", query, metadata={"part": 0})])
            for took in (first, again):
                before = time.process_time()
                index.search(query[None], K, where=where)
                took.append(1000 * (time.process_time() - before))
        for when, times in (("asked first", first), ("asked again", again)):
            name = f"{index.kind}: a filter that {passing:,} pass, {when}"
            found.append(value(name, statistics.median(times), unit="ms"))
    return found


def brute(matrix: np.ndarray, queries: np.ndarray) -> np.ndarray:
    scores = queries @ matrix.T
    return np.argpartition(-scores, K, axis=1)[:, :K]


def made(count: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    first = torch.randn(LATENT, 512, generator=generator) / LATENT**0.5 * 1.5
    second = torch.randn(512, DIM, generator=generator) / 512**0.5
    points = torch.tanh(torch.randn(count, LATENT, generator=generator) @ first) @ second
    noise = 0.1 * points.std() * torch.randn(count, DIM, generator=generator)
    return F.normalize(points + noise, dim=1)


def entries(vectors: Tensor) -> list[Entry]:
    return [
        Entry(str(n), vector, text=f"caption {n}", metadata={"part": n % 10})
        for n, vector in enumerate(vectors)
    ]


def _use(threads: int) -> None:
    torch.set_num_threads(threads)
    faiss.omp_set_num_threads(threads)
