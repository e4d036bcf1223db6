"""Ranks in both directions from one product, computed in tiles.

The scores of the queries against a gallery, transposed, are those of the gallery against the queries. Each tile is
compared with the right scores of its rows and of its columns, then discarded.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from weft.core.shapes import check_shape
from weft.evaluation.ranking import (
    BLOCK_COLUMNS,
    FEW_POSITIVES,
    Ranks,
    below,
    best_first,
    check_embeddings,
    dot_product,
    positives,
    rank_queries,
)

TILE = {"cpu": 512, "cuda": 8192}
"""Side of a tile; on a CPU small enough to stay in the cache while it is counted."""


def rank_both_ways(
    first_FE: Tensor,
    second_SE: Tensor,
    first_groups: Tensor,
    second_groups: Tensor,
    *,
    tile: int | None = None,
) -> tuple[Ranks, Ranks]:
    """Ranks of the first embeddings among the second, and of the second among the first.

    The results equal those of `rank_queries` for the inner products in each direction, at the cost of one direction,
    with memory O(tile * tile) besides copies of the embeddings. first_groups: (F,) int64. second_groups: (S,) int64.
    Equal entries have equal scores in both directions: every tile is a product of the same full size, padded with
    zeros at the ends. Raises ValueError as `dot_product` and `rank_queries` do.
    """
    check_embeddings(first_FE, second_SE)
    check_shape(first_groups, "F", "first_groups", F=len(first_FE))
    check_shape(second_groups, "S", "second_groups", S=len(second_SE))
    first_groups, second_groups = first_groups.cpu(), second_groups.cpu()
    second_order, first_column, columns = positives(first_groups, second_groups)
    first_order, first_row, rows = positives(second_groups, first_groups)
    if max(int(columns.max()), int(rows.max())) > FEW_POSITIVES:
        return (
            rank_queries(dot_product(first_FE, second_SE), first_groups, second_groups),
            rank_queries(dot_product(second_SE, first_FE), second_groups, first_groups),
        )
    firsts, seconds = (
        embeddings[order.to(embeddings.device)]
        for embeddings, order in ((first_FE, first_order), (second_SE, second_order))
    )
    by_row = _Queries(first_column[first_order], columns[first_order], firsts)
    by_column = _Queries(first_row[second_order], rows[second_order], seconds)
    _count(_Tiles(firsts, seconds, tile or TILE[first_FE.device.type]), by_row, by_column)
    return (
        by_row.ranks(len(seconds)).take(first_order.argsort()),
        by_column.ranks(len(firsts)).take(second_order.argsort()),
    )


def _count(tiles: "_Tiles", by_row: "_Queries", by_column: "_Queries") -> None:
    """Reads the right scores, then compares every score with them."""
    # Sorted by group, right pairs lie near the diagonal, so only few tiles are computed twice.
    for row in tiles.rows:
        for column in tiles.holding(by_row.right_items(row, tiles.side)):
            scores = tiles.scores(row, column)
            by_row.read_right(scores, row, column)
            by_column.read_right(scores.T, column, row)
    for queries in (by_row, by_column):
        queries.right = best_first(queries.right, queries.real)
    for row in tiles.rows:
        for column in tiles.columns:
            scores = tiles.scores(row, column)
            by_row.count_below(scores, row)
            by_column.count_below(scores.T, column)


class _Tiles:
    """The product of two sets of embeddings, in square tiles that start at `rows` and `columns`."""

    def __init__(self, first_FE: Tensor, second_SE: Tensor, side: int) -> None:
        self.first, self.second = first_FE, second_SE
        longest = max(len(first_FE), len(second_SE))
        self.side = min(side, longest + -longest % BLOCK_COLUMNS)
        self.rows, self.columns = (range(0, len(e), self.side) for e in (first_FE, second_SE))

    def scores(self, row: int, column: int) -> Tensor:
        rows, columns = self.first[row : row + self.side], self.second[column : column + self.side]
        return (self._filled(rows) @ self._filled(columns).T)[: len(rows), : len(columns)]

    def holding(self, entries: range) -> range:
        """Returns the starts of the tiles that contain these columns."""
        return range(entries.start // self.side * self.side, entries.stop, self.side)

    def _filled(self, part: Tensor) -> Tensor:
        return part if len(part) == self.side else F.pad(part, (0, 0, 0, self.side - len(part)))


class _Queries:
    """One direction's queries: the scores of their right entries, and the number of scores below those.

    first: (Q,), ascending, the position in the gallery of a query's first right entry. count: (Q,) their number.
    """

    def __init__(self, first: Tensor, count: Tensor, embeddings: Tensor) -> None:
        self.first, self.last = first, first + count - 1
        offset_P = torch.arange(int(count.max()))
        self.places = (first[:, None] + offset_P).to(embeddings.device)
        self.real = (offset_P < count[:, None]).to(embeddings.device)
        self.right = embeddings.new_zeros(self.places.shape)
        self.below = torch.zeros_like(self.places)

    def right_items(self, query: int, number: int) -> range:
        """Returns a range that contains all right entries of `number` queries."""
        return range(int(self.first[query]), int(self.last[query : query + number][-1]) + 1)

    def read_right(self, scores: Tensor, query: int, entry: int) -> None:
        """Stores the scores of right entries in the tile that starts at `query`, `entry`."""
        rows = slice(query, query + len(scores))
        places = self.places[rows] - entry
        inside = (places >= 0) & (places < scores.shape[1])
        found = scores.gather(1, places.clamp(0, scores.shape[1] - 1))
        self.right[rows] = torch.where(inside, found, self.right[rows])

    def count_below(self, scores: Tensor, query: int) -> None:
        """Counts within the tile whose queries start at `query`."""
        rows = slice(query, query + len(scores))
        self.below[rows] += below(scores, self.right[rows])

    def ranks(self, gallery: int) -> Ranks:
        return Ranks.counted(self.right, self.real, self.below, gallery)
