"""Recognition of words with known times: the word that is spoken at each moment."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.distributed import mean_of_all
from weft.core.errors import WeftError
from weft.core.interfaces import EncodedStreams, Objective, Reader
from weft.core.needs import Needs
from weft.core.ranges import POSITIVE, require
from weft.core.records import Batch, Loss
from weft.decoders.ctc import BLANK
from weft.heads.transcripts import TranscriptOutput
from weft.objectives._transcripts import units_of

PADDING = -100
LATE = 1.0
"""Seconds that a word may end after the last token, because of rounding or a sound that is shorter than its video."""


class AlignedWords(nn.Module):
    """Cross-entropy at each token with the word that is spoken in its middle, or the blank if there is none (the
    frame-wise training of hybrid recognisers; Graves et al. 2006, section 5); a mean over the tokens of all ranks.

    A row is ignored if its words have no times, or if the number of times is not the number of units, because the
    transcript is written in another way or has a word that is not learned. The term `fits` is the share of rows
    that are used.
    """

    def __init__(self, config: "AlignedWordsConfig") -> None:
        super().__init__()
        self.config = config

    def forward(self, model: Reader, batch: Batch, streams: EncodedStreams) -> Loss:
        logits_BTV, mask_BT, ids_BL, batch = units_of(model, batch, streams, self.config.head)
        times_BL2 = batch.targets[self.config.times]
        units_B, times_B = (ids_BL > BLANK).sum(1), times_BL2.isfinite().all(2).sum(1)
        # A row that noise has replaced has times, but no words: all of it is the blank.
        fits_B = ((units_B == times_B) & (units_B > 0)) | (ids_BL == BLANK).any(1)
        count = min(ids_BL.shape[1], times_BL2.shape[1])
        there_BL = (ids_BL[:, :count] > BLANK) & fits_B[:, None]
        times_BL2 = times_BL2[:, :count].masked_fill(~there_BL[..., None], torch.nan)
        require_rate(times_BL2, mask_BT, self.config.rate, batch.ids)
        mask_BT = mask_BT & fits_B[:, None]
        said_BT = said_at(ids_BL[:, :count], times_BL2, mask_BT, self.config.rate)
        real_BT = said_BT != PADDING
        costs_BT = F.cross_entropy(
            logits_BTV.transpose(1, 2), said_BT, ignore_index=PADDING, reduction="none"
        )
        right_BT = (logits_BTV.argmax(2) == said_BT) & real_BT
        return Loss(
            mean_of_all(costs_BT.sum(1), real_BT.sum()),
            {
                "accuracy": mean_of_all(right_BT.sum(1).float(), real_BT.sum()),
                "fits": mean_of_all(fits_B.float()),
            },
        )


def require_rate(times_BL2: Tensor, mask_BT: Tensor, rate: float, ids: Sequence[str]) -> None:
    """Raises WeftError if words are spoken after the last token: the rate is wrong, or the times do not belong to
    the recording.
    """
    if not times_BL2.numel():
        return
    last_B = times_BL2[..., 1].nan_to_num(0).amax(1)
    ends_B = mask_BT.sum(1) / rate
    worst = int((last_B - ends_B).argmax())
    if last_B[worst] > ends_B[worst] + LATE:
        raise WeftError(
            f"row '{ids[worst]}': a word ends at {float(last_B[worst]):.2f} s, but at rate {rate:g} the head's tokens "
            f"end at {float(ends_B[worst]):.2f} s: set rate to the head's tokens a second, and neither cut sounds nor "
            "play them faster"
        )


def said_at(ids_BL: Tensor, times_BL2: Tensor, mask_BT: Tensor, rate: float) -> Tensor:
    """(B, T) the unit that is spoken in the middle of each token; BLANK if there is none, PADDING if there is no
    token.
    """
    middles_T = (torch.arange(mask_BT.shape[1], device=mask_BT.device) + 0.5) / rate
    said_BT = torch.full(mask_BT.shape, BLANK, dtype=torch.int64, device=mask_BT.device)
    for unit_B, times_B2 in zip(ids_BL.unbind(1), times_BL2.unbind(1), strict=True):
        starts_B1, ends_B1 = times_B2[:, :1], times_B2[:, 1:]
        # Times of the padding are NaN, which nothing lies between.
        inside_BT = (starts_B1 <= middles_T) & (middles_T < ends_B1)
        said_BT = torch.where(inside_BT, unit_B[:, None], said_BT)
    return said_BT.masked_fill(~mask_BT, PADDING)


@dataclass(frozen=True)
class AlignedWordsConfig(Config[Objective]):
    """Aligns words with the times at which they are spoken.

    Needs a transcript whose units are words, and recordings that training neither cuts nor plays faster.
    """

    head: str = "transcript"
    """Head whose transcripts are learned."""
    times: str = "times"
    """Target of `WordTimes`, of the same words."""
    rate: float = 25.0
    """Tokens of the head a second."""

    def __post_init__(self) -> None:
        require(self, rate=POSITIVE)

    @property
    def needs(self) -> Needs:
        return Needs(heads={self.head: TranscriptOutput}, targets=(self.times,))

    def build(self) -> AlignedWords:
        return AlignedWords(self)
