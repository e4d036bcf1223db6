"""Token-by-token comparison of rows (late interaction: Yao et al. 2021, arXiv:2111.07783, section 3.1)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from weft.core.distributed import gather, rows_before
from weft.core.interfaces import EncodedStreams, Reader
from weft.core.records import Batch, Features
from weft.objectives._presence import rows_with
from weft.objectives.similarity import Direction


@dataclass(frozen=True, kw_only=True)
class TokenDirection(Direction):
    """Rows and columns with tokens, (B, T, E) and (A, K, E). mask_BT, mask_AK: True at real tokens."""

    mask_BT: Tensor  # noqa: N815
    mask_AK: Tensor  # noqa: N815

    def cosines(self, part: slice) -> Tensor:
        """(R, A) the mean over a row's tokens of the highest cosine with a token of the column (equations 4 and 5)."""
        cosines_RATK = torch.einsum("rte,ake->ratk", self.rows_BE[part], self.columns_AE)
        best_RAT = cosines_RATK.masked_fill(~self.mask_AK[None, :, None], -1).amax(3)
        real_R1T = self.mask_BT[part, None].to(best_RAT)
        return (best_RAT * real_R1T).sum(2) / real_R1T.sum(2).clamp(min=1)


def token_directions(
    model: Reader, batch: Batch, streams: EncodedStreams, names: tuple[str, str]
) -> tuple[TokenDirection, TokenDirection]:
    """Both directions of the comparison, over the rows that have both streams: tokens of the first stream against
    those of the second, and the reverse.
    """
    batch, streams = rows_with(batch, streams, names)
    features = [streams.features(name) for name in names]
    tokens = [
        torch.cat(streams.by_rows(lambda part, name=name: embedded(model, name, part), own))
        for name, own in zip(names, features, strict=True)
    ]
    matches_A = gather(batch.match_keys)
    every = [gather(one) for one in tokens]
    masks = [gather(one.mask) for one in features]
    if not len(matches_A):  # no rows, beside a column that nobody reads
        matches_A = matches_A.new_zeros(1)
        every = [one.new_zeros(1, 1, one.shape[2]) for one in every]
        masks = [one.new_zeros(1, 1) for one in masks]
    before = rows_before(len(batch), batch.groups.device)
    one, other = (
        TokenDirection(
            tokens[own],
            every[1 - own],
            batch.match_keys,
            matches_A,
            before,
            mask_BT=features[own].mask,
            mask_AK=masks[1 - own],
        )
        for own in (0, 1)
    )
    return one, other


def embedded(model: Reader, stream: str, features: Features) -> Tensor:
    """(B, T, E) unit vectors: each token after the projection of its stream; zeros in the padding."""
    packed_SD = features.tokens[features.mask]
    alone_S1 = torch.ones(len(packed_SD), 1, dtype=torch.bool, device=packed_SD.device)
    vectors_SE = model.embed(stream, Features(packed_SD[:, None], alone_S1, packed_SD))
    found_BTE = vectors_SE.new_zeros(*features.mask.shape, vectors_SE.shape[1])
    return found_BTE.masked_scatter(features.mask[:, :, None], vectors_SE)
