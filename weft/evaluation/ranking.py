"""Ranks, recall and average precision by counting, for a chunk of queries at a time.

No sorting is needed: a query's rank is one more than the number of wrong entries that score at least as high as its
best right entry. Counting them takes memory O(chunk * gallery).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from weft.core.shapes import check_shape

Similarity = Callable[[int, int], Tensor]
"""similarity(start, stop) -> (stop - start, G) scores of those queries against the whole gallery."""

CHUNK_ELEMENTS = 2**22
"""Number of scores in memory: few enough to stay in or near the processor's cache, enough for a fast product."""

BLOCK_ROWS, BLOCK_COLUMNS = 8, 64
"""Rows and columns of a product are padded to multiples of these, which the block sizes of its kernels divide."""

FEW_POSITIVES = 16
"""Up to this number, one counting pass for each right entry is faster than one binary search for each score."""


@dataclass(frozen=True)
class Ranks:
    """Results of each query; all (Q,), on the CPU.

    rank: int64 from 1, of the best right entry; a tie counts against the model. average_precision and reciprocal: in
    [0, 1], float64, the former over all right entries. positives: number of right entries.
    """

    rank: Tensor
    average_precision: Tensor
    positives: Tensor

    def __len__(self) -> int:
        return len(self.rank)

    @classmethod
    def counted(cls, right_CP: Tensor, real_CP: Tensor, below_CP: Tensor, gallery: int) -> "Ranks":
        """Computes the ranks from `below`: the number of gallery scores below each right one."""
        # Counted as "all but those below", so that a NaN among the wrong entries counts as above.
        above_CP = (gallery - below_CP - _right_at_or_above(right_CP, real_CP)).cpu()
        real_CP = real_CP.cpu()
        count = real_CP.sum(1)
        nth_P = torch.arange(1, real_CP.shape[1] + 1)
        precision_CP = torch.where(real_CP, nth_P / (nth_P + above_CP.double()), 0)
        return cls(above_CP[:, 0] + 1, precision_CP.sum(1) / count, count)

    @classmethod
    def joined(cls, parts: Sequence["Ranks"]) -> "Ranks":
        """Concatenates the queries of all parts."""
        return cls(
            torch.cat([part.rank for part in parts]),
            torch.cat([part.average_precision for part in parts]),
            torch.cat([part.positives for part in parts]),
        )

    def take(self, index: Tensor) -> "Ranks":
        """Selects some queries, in that order."""
        return Ranks(self.rank[index], self.average_precision[index], self.positives[index])

    @property
    def reciprocal(self) -> Tensor:
        return 1 / self.rank.double()

    def hits(self, k: int) -> Tensor:
        """(Q,) bool: whether a right entry is among the first k."""
        return self.rank <= k


def rank_queries(
    similarity: Similarity,
    query_groups: Tensor,
    gallery_groups: Tensor,
    *,
    chunk: int | None = None,
) -> Ranks:
    """Ranks all queries. An entry is right if its group is the query's group.

    query_groups: (Q,) int64. gallery_groups: (G,) int64. chunk: queries scored at once. A right entry that ties with
    a wrong one ranks after it, and a NaN counts against the model, so a collapsed or broken model scores chance or
    worse. Raises ValueError if a query has no right entry in the gallery.
    """
    check_shape(query_groups, "Q", "query_groups")
    check_shape(gallery_groups, "G", "gallery_groups")
    query_groups, gallery_groups = query_groups.cpu(), gallery_groups.cpu()
    queries, gallery = len(query_groups), len(gallery_groups)
    order, first, count = positives(query_groups, gallery_groups)
    chunk = chunk or max(1, CHUNK_ELEMENTS // max(gallery, 1))
    parts: list[Ranks] = []
    for start in range(0, queries, chunk):
        stop = min(start + chunk, queries)
        scores_CG = similarity(start, stop)
        check_shape(scores_CG, "C G", "similarity's scores", C=stop - start, G=gallery)
        offset_P = torch.arange(int(count[start:stop].max()))
        real_CP = (offset_P < count[start:stop, None]).to(scores_CG.device)
        position_CP = (first[start:stop, None] + offset_P).clamp(max=gallery - 1)
        right_CP = scores_CG.gather(1, order[position_CP].to(scores_CG.device))
        right_CP = best_first(right_CP, real_CP)
        parts.append(Ranks.counted(right_CP, real_CP, below(scores_CG, right_CP), gallery))
    return Ranks.joined(parts)


def dot_product(query_QE: Tensor, gallery_GE: Tensor) -> Similarity:
    """Inner products; cosines where the embeddings have unit length."""
    check_embeddings(query_QE, gallery_GE)
    return lambda start, stop: inner_products(query_QE[start:stop], gallery_GE)


def inner_products(query_QE: Tensor, gallery_GE: Tensor) -> Tensor:
    """(Q, G): equal vectors have equal scores, whatever their position and the number of other vectors.

    A matrix product sums the remainder at its edges in another order than the rest, so equal rows would differ in the
    last bit and one would rank before the other. Here there are no edges: rows are padded with zeros to whole blocks.
    Sums are in float64, since some processors change the order of summation with the size of the product; rounding
    removes the difference.
    """
    queries, gallery = len(query_QE), len(gallery_GE)
    rows = F.pad(query_QE, (0, 0, 0, -queries % BLOCK_ROWS))
    whole = gallery - gallery % BLOCK_COLUMNS
    rest = F.pad(gallery_GE[whole:], (0, 0, 0, -gallery % BLOCK_COLUMNS))
    parts = [
        (rows.double() @ part.double().T)[:queries].to(query_QE.dtype)
        for part in (gallery_GE[:whole], rest)
        if len(part)
    ]
    if not parts:
        return query_QE.new_zeros(queries, 0)
    scores_QG = parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)
    return scores_QG[:, :gallery]


def check_embeddings(query_QE: Tensor, gallery_GE: Tensor) -> None:
    """Raises ValueError unless both are matrices of the same width with finite numbers."""
    check_shape(query_QE, "Q E", "query_QE")
    check_shape(gallery_GE, "G E", "gallery_GE", E=query_QE.shape[1])
    for name, embeddings in (("query", query_QE), ("gallery", gallery_GE)):
        if not torch.isfinite(embeddings).all():
            raise ValueError(f"the {name} embeddings hold NaN or infinity, expected finite numbers")


def standardised(query_QE: Tensor, gallery_GE: Tensor) -> tuple[Tensor, Tensor]:
    """Scales the embeddings so that their inner products have unit deviation over all pairs.

    Models spread their cosines differently; scaling gives each the same influence in an average. Mean and variance
    over the Q * G pairs follow from the two (E, E) second moments, without computing any pair.
    """
    queries, gallery = query_QE.double(), gallery_GE.double()
    mean = queries.mean(0) @ gallery.mean(0)
    square = (queries.T @ queries / len(queries) * (gallery.T @ gallery / len(gallery))).sum()
    scale = 1 / float((square - mean**2).clamp(min=1e-12).sqrt())
    return query_QE * scale, gallery_GE


def averaged(
    members: Sequence[tuple[Tensor, Tensor]], weights: Sequence[float] | None = None
) -> tuple[Tensor, Tensor]:
    """Embeddings (Q, E) and (G, E) whose inner products are the (weighted) mean of several models'.

    A sum of inner products is the inner product of the concatenated vectors.
    """
    if not members:
        raise ValueError("an average of models needs at least one")
    if len(members) == 1 and weights is None:
        return members[0]
    weights = [1 / len(members)] * len(members) if weights is None else weights
    queries = [query * w for (query, _), w in zip(members, weights, strict=True)]
    return torch.cat(queries, dim=1), torch.cat([gallery for _, gallery in members], dim=1)


def top_k(similarity: Similarity, queries: Sequence[int], k: int) -> tuple[Tensor, Tensor]:
    """Scores and gallery positions, both (len(queries), k), of the best entries for some queries."""
    rows = [similarity(query, query + 1).topk(k, dim=1) for query in queries]
    return torch.cat([r.values for r in rows]).cpu(), torch.cat([r.indices for r in rows]).cpu()


def right_and_wrong(rank: Tensor, number: int, seed: int) -> list[int]:
    """Samples queries to show: half of `number` with rank 1, half with other ranks."""
    generator = torch.Generator().manual_seed(seed)
    chosen: list[int] = []
    for pool in ((rank == 1).nonzero().flatten(), (rank > 1).nonzero().flatten()):
        order = torch.randperm(len(pool), generator=generator)[: number // 2]
        chosen += pool[order].tolist()
    return chosen


def worst_first(badness: Tensor, number: int) -> list[int]:
    """Returns the indices of the `number` largest of (N,) values above 0, in descending order; ties in their order."""
    order = badness.sort(descending=True, stable=True).indices[:number]
    return [place for place in order.tolist() if badness[place] > 0]


def positives(query_groups: Tensor, gallery_groups: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Returns the gallery sorted by group, the position of each query's first right entry in it, and their number."""
    sorted_groups, order = gallery_groups.sort(stable=True)
    first = torch.searchsorted(sorted_groups, query_groups)
    count = torch.searchsorted(sorted_groups, query_groups, right=True) - first
    alone = (count == 0).nonzero().flatten()
    if len(alone):
        raise ValueError(
            f"{len(alone)} of {len(count)} queries have no right entry in the gallery of "
            f"{len(order)} (first: query {int(alone[0])}), expected at least one of the same group"
        )
    return order, first, count


def best_first(right_CP: Tensor, real_CP: Tensor) -> Tensor:
    """The scores of each query's right entries in descending order; padding comes last."""
    # Sorts a right entry with score NaN to the end, like the padding of queries with fewer entries.
    right_CP = right_CP.nan_to_num(nan=-math.inf, posinf=math.inf, neginf=-math.inf)
    return right_CP.masked_fill(~real_CP, -math.inf).sort(1, descending=True).values


def below(scores_CG: Tensor, right_CP: Tensor) -> Tensor:
    """(C, P) int64: number of scores below the query's n-th best right one."""
    if right_CP.shape[1] <= FEW_POSITIVES:
        return _below_by_passes(scores_CG, right_CP)
    return _below_by_search(scores_CG, right_CP)


def _right_at_or_above(right_CP: Tensor, real_CP: Tensor) -> Tensor:
    """(C, P): number of the query's right entries that score at least as high as the n-th (itself and its ties)."""
    ascending_CP = right_CP.flip(1).contiguous()
    width = right_CP.shape[1]
    padding_C1 = width - real_CP.sum(1, keepdim=True)
    lower_CP = torch.searchsorted(ascending_CP, right_CP.contiguous())
    return width - torch.maximum(lower_CP, padding_C1)


def _below_by_passes(scores_CG: Tensor, right_CP: Tensor) -> Tensor:
    """(C, P): number of scores below each right score, with one pass over the chunk for each of the P."""
    # Comparing into floats and adding those is many times faster than adding booleans, and exact
    # below 2**24.
    below_CG = torch.empty_like(scores_CG, dtype=torch.float32)
    below_CP = torch.empty_like(right_CP, dtype=torch.int64)
    for n in range(right_CP.shape[1]):
        torch.lt(scores_CG, right_CP[:, n : n + 1], out=below_CG)
        below_CP[:, n] = below_CG.sum(1)
    return below_CP


def _below_by_search(scores_CG: Tensor, right_CP: Tensor) -> Tensor:
    """The same by one binary search of each score among the query's sorted right scores."""
    chunk, width = right_CP.shape
    ascending_CP = right_CP.flip(1).contiguous()
    # The number of right scores <= a score is the number of right scores that it is not below. NaN
    # sorts last.
    place_CG = torch.searchsorted(ascending_CP, scores_CG.contiguous(), right=True)
    histogram = torch.zeros(chunk, width + 1, dtype=torch.int64, device=scores_CG.device)
    histogram.scatter_add_(1, place_CG, torch.ones_like(place_CG))
    return histogram.cumsum(1)[:, :width].flip(1)
