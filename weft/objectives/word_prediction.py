"""Word prediction: a fused stream predicts which words a text contains, without their order."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.distributed import mean_of_all
from weft.core.interfaces import JOINT, EncodedStreams, Objective, Reader
from weft.core.needs import Needs
from weft.core.ranges import COUNT, require
from weft.core.records import Batch, Field, Loss
from weft.core.shapes import check_shape
from weft.heads.texts import TextOutput
from weft.objectives._presence import nothing, rows_of, rows_with
from weft.objectives.captioning import text_field, writer


class WordPrediction(nn.Module):
    """Cross-entropy between the words of a text, each counted once, and the words predicted from the pooled vector of
    a fused stream; a mean over the rows of all ranks that have both (Weng et al. 2017, arXiv:1708.01771).

    The vector (B, D) passes a linear map, a norm and the decoder's own map to the vocabulary V. So the stream's tokens
    learn a form from which the decoder can read words. Captioning alone teaches this slowly, because the previous
    words of a text already predict most of the next one. The first and last token of each text are ignored.
    """

    def __init__(self, config: "WordPredictionConfig") -> None:
        super().__init__()
        self.config = config
        self.map = nn.Linear(config.dim, config.out_dim or config.dim)
        self.norm = nn.LayerNorm(config.out_dim or config.dim)

    def forward(self, model: Reader, batch: Batch, streams: EncodedStreams) -> Loss:
        config = self.config
        decoder, text = writer(model.head(config.head), config.head)
        of_stream = () if config.stream == JOINT else (config.stream,)
        batch, streams = rows_of(model, batch, streams, config.head, (text,))
        batch, streams = rows_with(batch, streams, of_stream)
        if text not in batch.inputs:
            return nothing(self, batch)
        pooled_BD = streams.fused()[config.stream].pooled
        check_shape(pooled_BD, "B D", f"the fused '{config.stream}'", D=config.dim)
        logits_BV = decoder.logits(self.norm(self.map(pooled_BD))).float()
        said_BV = words_said(text_field(batch, text), logits_BV.shape[1])
        count_B = said_BV.sum(1)
        costs_B = -(said_BV * logits_BV.log_softmax(1)).sum(1) / count_B.clamp_min(1)
        return Loss(mean_of_all(costs_B, (count_B > 0).sum()), {})


def words_said(text: Field, vocabulary: int) -> Tensor:
    """(B, V) 1 for each token of the row's text except its first and last token, 0 for all others."""
    ids_BT, mask_BT = text.values, text.real
    last_B1 = (mask_BT.sum(1, keepdim=True) - 1).clamp_min(0)
    bounds_BT = (ids_BT == ids_BT[:, :1]) | (ids_BT == ids_BT.gather(1, last_B1))
    said_BT = mask_BT & ~bounds_BT
    counts_BV = torch.zeros(len(text), vocabulary, device=ids_BT.device)
    counts_BV.scatter_add_(1, ids_BT.masked_fill(~mask_BT, 0), said_BT.float())
    return counts_BV.clamp_max(1)


@dataclass(frozen=True)
class WordPredictionConfig(Config[Objective]):
    """Predicts the set of words of a text from a fused stream."""

    dim: int
    """Width of the fused stream."""
    head: str = "caption"
    """Head that writes the texts."""
    stream: str = JOINT
    """Fused stream whose mean tells the words, such as image: joint, or one of those that are fused."""
    out_dim: int | None = None
    """Width of the decoder, None for that of the stream."""

    def __post_init__(self) -> None:
        require(self, dim=COUNT, out_dim=COUNT)

    @property
    def needs(self) -> Needs:
        joint = self.stream == JOINT
        encoders = () if joint else (self.stream,)
        return Needs(encoders=encoders, heads={self.head: TextOutput}, fusion=joint)

    def build(self) -> WordPrediction:
        return WordPrediction(self)
