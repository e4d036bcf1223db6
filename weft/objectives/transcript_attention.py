"""Speech recognition by attention: predicts every next unit of a transcript from the sound and the true units
before it.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.distributed import mean_of_all
from weft.core.interfaces import EncodedStreams, Objective, Reader
from weft.core.needs import Needs
from weft.core.ranges import SHARE_BELOW_1, require
from weft.core.records import Batch, Features, Field, Loss
from weft.data.targets import NO_CLASS
from weft.data.targets.transcript import BLANK
from weft.decoders.joint import JointDecoder
from weft.heads.transcripts import TranscriptOutput
from weft.objectives._presence import rows_of


class TranscriptAttention(nn.Module):
    """Cross-entropy of the next unit under teacher forcing, and of the end after the last one (Watanabe et al.
    2017, equation 20), a mean over the units and ends of all ranks.

    With CTC it forms a joint loss; recipe.weights weigh the two. Transcripts longer than the decoder can read are
    left out; the term `fits` is the share of rows that are used.
    """

    def __init__(self, config: "TranscriptAttentionConfig") -> None:
        super().__init__()
        self.config = config

    def forward(self, model: Reader, batch: Batch, streams: EncodedStreams) -> Loss:
        head, config = model.head(self.config.head), self.config
        decoder = head.decoder
        if not isinstance(head.output, TranscriptOutput) or not isinstance(decoder, JointDecoder):
            raise ValueError(
                f"head '{config.head}' has a {type(decoder).__name__} and a {type(head.output).__name__}, "
                "expected a JointDecoder and a TranscriptOutput"
            )
        batch, streams = rows_of(model, batch, streams, config.head)
        ids_BL = batch.targets[head.output.target]
        counts_B = (ids_BL > BLANK).sum(1)
        longest = min(ids_BL.shape[1], decoder.attention.max_length - 1)
        fits_B = (ids_BL != NO_CLASS).any(1) & (counts_B <= longest)
        units_BL = ids_BL[:, :longest].clamp_min(BLANK)
        # BLANK stands before the first unit and after the last one.
        around_BL = F.pad(units_BL, (1, 1), value=BLANK)
        real_BL = (torch.arange(longest + 1, device=ids_BL.device) <= counts_B[:, None]) & fits_B[
            :, None
        ]
        prefix = Field(around_BL[:, :-1], real_BL)

        def measure(context: Features, prefix: Field, next_BL: Tensor) -> Tensor:
            hidden_SD, packing = decoder.attention.hidden(context, prefix)
            costs_S = F.cross_entropy(
                decoder.attention.logits(hidden_SD).float(),
                packing.pack(next_BL),
                label_smoothing=config.label_smoothing,
                reduction="none",
            )
            return packing.unpack(costs_S).sum(1)

        parts = streams.by_rows(measure, head.reads(streams.fused()), prefix, around_BL[:, 1:])
        return Loss(
            mean_of_all(torch.cat(parts), real_BL.sum()), {"fits": mean_of_all(fits_B.float())}
        )


@dataclass(frozen=True)
class TranscriptAttentionConfig(Config[Objective]):
    """The attention decoder of a head with a JointDecoder."""

    head: str = "transcript"
    """Head whose transcripts are learned."""
    label_smoothing: float = 0.0
    """Share of the target that is spread evenly over the units."""

    def __post_init__(self) -> None:
        require(self, label_smoothing=SHARE_BELOW_1)

    @property
    def needs(self) -> Needs:
        return Needs(heads={self.head: TranscriptOutput})

    def build(self) -> TranscriptAttention:
        return TranscriptAttention(self)
