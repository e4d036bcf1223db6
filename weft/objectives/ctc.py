"""Recognition of speech: all alignments of a transcript with the tokens of a sound."""

from dataclasses import dataclass

import torch
from torch import nn

from weft.core.config import Config
from weft.core.distributed import mean_of_all
from weft.core.interfaces import EncodedStreams, Objective, Reader
from weft.core.needs import Needs
from weft.core.records import Batch, Loss
from weft.data.targets import NO_CLASS
from weft.data.targets.transcript import BLANK
from weft.decoders.ctc import repeats, text_costs
from weft.heads.transcripts import TranscriptOutput
from weft.objectives._transcripts import units_of


class CTC(nn.Module):
    """Minus the log-probability of the transcript over all its alignments (Graves et al. 2006, equation 8), divided
    by its units; a mean over the rows of all ranks whose transcript fits.

    A transcript needs as many tokens as it has units, and one more for each unit that repeats the one before it;
    the term `fits` is the share of rows with enough tokens. An empty transcript has one alignment, with only blanks;
    its cost is divided by 1.
    """

    def __init__(self, config: "CTCConfig") -> None:
        super().__init__()
        self.config = config

    def forward(self, model: Reader, batch: Batch, streams: EncodedStreams) -> Loss:
        logits_BTV, mask_BT, ids_BL, _ = units_of(model, batch, streams, self.config.head)
        there_B = (ids_BL != NO_CLASS).any(1)
        units_BL = ids_BL > BLANK
        counts_B, lengths_B = units_BL.sum(1), mask_BT.sum(1)
        fits_B = there_B & (lengths_B >= counts_B + repeats(ids_BL)) & (lengths_B > 0)
        costs_B = text_costs(logits_BTV.log_softmax(2), lengths_B, ids_BL, counts_B)
        shares_B = torch.where(fits_B, costs_B / counts_B.clamp_min(1), 0)
        return Loss(
            mean_of_all(shares_B, fits_B.sum()) + 0 * logits_BTV.sum(),
            {"fits": mean_of_all(fits_B.float())},
        )


@dataclass(frozen=True)
class CTCConfig(Config[Objective]):
    """Connectionist temporal classification of transcripts."""

    head: str = "transcript"
    """Head whose transcripts are learned."""

    @property
    def needs(self) -> Needs:
        return Needs(heads={self.head: TranscriptOutput})

    def build(self) -> CTC:
        return CTC(self)
