"""Pairs of rows that do not belong together, from the rows of all ranks."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from weft.core.distributed import gather, rows_before
from weft.core.interfaces import EncodedStreams
from weft.core.records import Batch, Features


@dataclass(frozen=True)
class Candidates:
    """The rows of all ranks that have all streams, as partners of this rank's B rows.

    features: the streams of all A rows. own_R: the numbers of this rank's rows that have the streams.
    before: the number of this rank's first row. others_BA: True where row A may be a wrong partner of
    row B: both have the streams, and they do not match each other.
    """

    features: Mapping[str, Features]
    own_R: Tensor  # noqa: N815
    before: int
    others_BA: Tensor  # noqa: N815

    def take(self, rows: Mapping[str, Tensor]) -> dict[str, Features]:
        """Pairs: for each stream the rows with these numbers."""
        return {stream: self.features[stream].take(index) for stream, index in rows.items()}


def candidates(
    batch: Batch, streams: EncodedStreams, needed: tuple[str, ...], also: tuple[str, ...] = ()
) -> Candidates:
    """needed: the streams that a row must have. also: further streams whose features are returned."""
    features = {stream: streams.features(stream) for stream in (*needed, *also)}
    there_B = torch.stack([features[s].present for s in needed]).all(dim=0)
    matches_A, there_A = gather(batch.match_keys), gather(there_B)
    others_BA = batch.match_keys[:, None] != matches_A[None, :]
    others_BA = others_BA & there_B[:, None] & there_A[None, :]
    before = rows_before(len(batch), batch.groups.device)
    everywhere = {
        stream: Features(gather(own.tokens), gather(own.mask), gather(own.pooled))
        for stream, own in features.items()
    }
    return Candidates(everywhere, there_B.nonzero()[:, 0] + before, before, others_BA)


def drawn_columns(chance_NA: Tensor, uniform_N: Tensor) -> Tensor:
    """(N,) a column for each row, sampled with these probabilities by the inverse of their cumulative sum."""
    sums_NA = chance_NA.double().cumsum(dim=1)
    if not len(sums_NA):
        return torch.zeros(0, dtype=torch.int64, device=chance_NA.device)
    places_N1 = uniform_N[:, None].double() * sums_NA[:, -1:]
    return torch.searchsorted(sums_NA, places_N1, right=True)[:, 0]
