"""Cosines between two streams over all ranks, some rows at a time."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from weft.core.config import Settings
from weft.core.distributed import gather, rows_before, world_size
from weft.core.interfaces import EncodedStreams
from weft.core.needs import Needs
from weft.core.ranges import SHARE, require
from weft.core.records import Batch
from weft.core.shapes import check_shape
from weft.data.targets import NO_CLASS
from weft.objectives._presence import rows_with

LEAST = 1e-6
"""Minimum weight of a negative, since 0 has no logarithm."""


@dataclass(frozen=True)
class Similarities:
    """Cosines of R rows of one stream with the A columns of the other on all ranks, in fp32.

    positives_RA: True where row and column match. own_R: the column of a row's own
    partner. weights_RA: above 0 to 1, what each column counts as a negative; None where all count 1.
    """

    cosines_RA: Tensor  # noqa: N815
    positives_RA: Tensor  # noqa: N815
    own_R: Tensor  # noqa: N815
    weights_RA: Tensor | None = None  # noqa: N815

    def hits(self) -> Tensor:
        """(R,) 1 where the nearest column is a positive, else 0."""
        return self.positives_RA.gather(1, self.cosines_RA.argmax(1, keepdim=True))[:, 0].float()


@dataclass(frozen=True)
class Direction:
    """This rank's B rows of one stream, compared with the A columns of the other stream on all ranks.

    before: number of rows of the ranks before this one. alike: the similarity of rows and columns by which
    negatives are weighed.
    """

    rows_BE: Tensor  # noqa: N815
    columns_AE: Tensor  # noqa: N815
    matches_B: Tensor  # noqa: N815
    matches_A: Tensor  # noqa: N815
    before: int
    alike: "Alike | None" = None

    def mean(
        self, measure: Callable[[Similarities], tuple[Tensor, ...]], chunk: int | None
    ) -> Tensor:
        """(K,) means over the rows of all ranks of the K numbers (R,) that `measure` returns for each row.

        chunk: number of rows whose similarities are in memory at a time, None: all. The backward pass computes them
        again, so the memory is chunk x A instead of B x A.
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
            cosines_RA = self.cosines(part)
        positives_RA = self.matches_B[part, None] == self.matches_A[None, :]
        numbers_B = torch.arange(len(self.rows_BE), device=self.matches_B.device)
        own_R = numbers_B[part] + self.before
        weights_RA = None if self.alike is None else self.alike.weights(part, positives_RA)
        return Similarities(cosines_RA, positives_RA, own_R, weights_RA)

    def cosines(self, part: slice) -> Tensor:
        """(R, A) of some rows and all columns."""
        return self.rows_BE[part] @ self.columns_AE.T


@dataclass(frozen=True)
class Likeness(Settings):
    """By what rows are alike: the cosine of a stream's embeddings, or an equal class."""

    stream: str | None = None
    """A stream with a projection, such as the text; it gets no gradient from this."""
    target: str | None = None
    """A target of one class a row."""
    strength: float = 0.9
    """A negative weighs 1 - strength x likeness."""

    def __post_init__(self) -> None:
        require(self, strength=SHARE)
        if (self.stream is None) == (self.target is None):
            raise ValueError(
                f"soft negatives got stream {self.stream} and target {self.target}, expected one of them"
            )

    @property
    def needs(self) -> Needs:
        streams, targets = ((name,) if name else () for name in (self.stream, self.target))
        return Needs(embeddings=streams, targets=targets)

    def of(self, batch: Batch, streams: EncodedStreams) -> "Alike":
        """The rows of this rank and of all ranks; a row without the compared value is similar to none."""
        if self.target is not None:
            values_B = batch.targets[self.target]
            return Alike(values_B, gather(values_B), self.strength)
        values_BE = streams.embedding(str(self.stream)).detach().float()
        there_B = batch.present((str(self.stream),))
        if there_B is not None:
            values_BE = values_BE * there_B[:, None]
        return Alike(values_BE, gather(values_BE), self.strength)


@dataclass(frozen=True)
class Alike:
    """Unit vectors (B, E) and (A, E), or classes (B,) and (A,), of this rank's rows and of all."""

    rows_B: Tensor  # noqa: N815
    columns_A: Tensor  # noqa: N815
    strength: float

    def weights(self, part: slice, positives_RA: Tensor) -> Tensor:
        """(R, A) the weight of each column; 1 for a positive."""
        rows_R = self.rows_B[part]
        if rows_R.ndim == 1:
            like_RA = (rows_R[:, None] == self.columns_A[None]) & (rows_R != NO_CLASS)[:, None]
        else:
            like_RA = (rows_R @ self.columns_A.T).clamp(0, 1)
        weights_RA = (1 - self.strength * like_RA.float()).clamp_min(LEAST)
        return weights_RA.masked_fill(positives_RA, 1)


def directions(
    batch: Batch, streams: EncodedStreams, names: tuple[str, str], likeness: Likeness | None = None
) -> tuple[Direction, Direction]:
    """Both directions of the comparison, over the rows that have both streams."""
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
    alike = None if likeness is None else likeness.of(batch, streams)
    return (
        Direction(first_BE, gather(second_BE), batch.match_keys, matches_A, before, alike),
        Direction(second_BE, gather(first_BE), batch.match_keys, matches_A, before, alike),
    )
