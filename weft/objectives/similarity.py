"""Cosines between two streams over all ranks, some rows at a time."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from weft.core.distributed import gather, rows_before, world_size
from weft.core.interfaces import EncodedStreams
from weft.core.records import Batch
from weft.core.shapes import check_shape
from weft.objectives._presence import rows_with


@dataclass(frozen=True)
class Similarities:
    """Cosines of R rows of one stream with the A columns of the other on all ranks, in fp32.

    positives_RA: True where row and column match. own_R: the column of a row's own
    partner.
    """

    cosines_RA: Tensor  # noqa: N815
    positives_RA: Tensor  # noqa: N815
    own_R: Tensor  # noqa: N815

    def hits(self) -> Tensor:
        """(R,) 1 where the nearest column is a positive, else 0."""
        return self.positives_RA.gather(1, self.cosines_RA.argmax(1, keepdim=True))[:, 0].float()


@dataclass(frozen=True)
class Direction:
    """This rank's B rows of one stream, that look for partners among the A columns of all ranks.

    before: rows of the ranks before this one.
    """

    rows_BE: Tensor  # noqa: N815
    columns_AE: Tensor  # noqa: N815
    matches_B: Tensor  # noqa: N815
    matches_A: Tensor  # noqa: N815
    before: int

    def mean(
        self, measure: Callable[[Similarities], tuple[Tensor, ...]], chunk: int | None
    ) -> Tensor:
        """(K,) means over the rows of all ranks of the K numbers (R,) that `measure` gives each row.

        chunk: rows whose similarities exist at a time, None for all. The backward pass computes
        them again, so that the memory is chunk x A instead of B x A.
        """
        rows, share = len(self.rows_BE), world_size() / len(self.columns_AE)
        size = rows if chunk is None else chunk

        def total(start: int) -> Tensor:
            return torch.stack(measure(self.similarities(slice(start, start + size)))).sum(1)

        if size >= rows:
            return total(0) * share
        sums = [
            checkpoint(total, start, use_reentrant=False, preserve_rng_state=False)
            for start in range(0, rows, size)
        ]
        return torch.stack(sums).sum(0) * share

    def similarities(self, part: slice) -> Similarities:
        """Some rows against all columns."""
        # Autocast would round the operands of the product to 8 bits of mantissa.
        with torch.autocast(self.rows_BE.device.type, enabled=False):
            cosines_RA = self.rows_BE[part] @ self.columns_AE.T
        positives_RA = self.matches_B[part, None] == self.matches_A[None, :]
        numbers_B = torch.arange(len(self.rows_BE), device=self.matches_B.device)
        own_R = numbers_B[part] + self.before
        return Similarities(cosines_RA, positives_RA, own_R)


def directions(
    batch: Batch, streams: EncodedStreams, names: tuple[str, str]
) -> tuple[Direction, Direction]:
    """The first stream looking for the second, and the other way round, of the rows that have both."""
    if names[0] == names[1]:
        raise ValueError(f"both streams are '{names[0]}', expected two different ones")
    batch, streams = rows_with(batch, streams, names)
    first_BE, second_BE = (streams.embedding(name).float() for name in names)
    check_shape(second_BE, "B E", f"the embedding of '{names[1]}'", E=first_BE.shape[1])
    matches_A = gather(batch.match_keys)
    if not len(matches_A):  # no row anywhere has both: no rows, beside a column that nobody reads
        keys_1, nobody_1E = matches_A.new_zeros(1), first_BE.new_zeros(1, first_BE.shape[1])
        return (
            Direction(first_BE, nobody_1E, matches_A, keys_1, 0),
            Direction(second_BE, nobody_1E, matches_A, keys_1, 0),
        )
    before = rows_before(len(batch), first_BE.device)
    return (
        Direction(first_BE, gather(second_BE), batch.match_keys, matches_A, before),
        Direction(second_BE, gather(first_BE), batch.match_keys, matches_A, before),
    )
