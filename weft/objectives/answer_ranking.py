"""Contrastive ranking of the right answer among those of the batch: a dual encoder of contexts and answers."""

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.distributed import gather, mean_of_all, rows_before
from weft.core.errors import WeftError
from weft.core.interfaces import JOINT, EncodedStreams, Objective, Reader
from weft.core.needs import Needs
from weft.core.records import Batch, Field, Loss
from weft.objectives._presence import nothing, rows_with
from weft.objectives.temperature import TemperatureConfig

_FACTOR = 1_000_003


class AnswerRanking(nn.Module):
    """Cross-entropy of the cosines between a context and every different answer of the whole batch.

    The context is the JOINT feature of the fusion after the projection `joint`. Rows with the same answer are one
    candidate, so a frequent answer is not its own negative. Rows without an answer, or without any stream of the
    context, are ignored. After the discriminative decoder of Das et al. 2017 (Visual Dialog), arXiv:1611.08669,
    section 4.
    """

    def __init__(self, config: "AnswerRankingConfig") -> None:
        super().__init__()
        self._answer = config.answer
        self.temperature = config.temperature.build()

    def forward(self, model: Reader, batch: Batch, streams: EncodedStreams) -> Loss:
        if model.fusion is None:
            raise WeftError("answer ranking reads fused streams, but the model has no fusion")
        batch, streams = rows_with(batch, streams, (self._answer,), model.fused_streams)
        answers = batch.inputs.get(self._answer)
        if answers is None:
            return nothing(self, batch, "temperature", "accuracy")
        if not isinstance(answers, Field):
            raise ValueError(f"stream '{self._answer}' is cached, expected token ids")
        context = streams.fused()[JOINT]
        context_BE = torch.cat(streams.by_rows(lambda rows: model.embed(JOINT, rows), context))
        answer_AE = gather(streams.embedding(self._answer))
        key_A = gather(_keys(answers))
        own_B = torch.arange(len(batch), device=key_A.device)
        own_B = own_B + rows_before(len(batch), key_A.device)
        same_AA = key_A[:, None] == key_A
        if not len(key_A):
            return nothing(self, batch, "temperature", "accuracy")
        first_A = same_AA.int().argmax(dim=1)  # the first row with this answer stands for it
        repeated_A = first_A != torch.arange(len(key_A), device=key_A.device)
        scale = self.temperature()
        # Autocast would round the operands of the product to 8 bits of mantissa.
        with torch.autocast(context_BE.device.type, enabled=False):
            cosines_BA = context_BE @ answer_AE.T
        logits_BA = (scale * cosines_BA).masked_fill(repeated_A, -torch.inf)
        target_B = first_A[own_B]
        costs_B = F.cross_entropy(logits_BA, target_B, reduction="none")
        hits = mean_of_all((logits_BA.argmax(dim=1) == target_B).float())
        return Loss(mean_of_all(costs_B), {"temperature": 1 / scale.detach(), "accuracy": hits})


def _keys(answers: Field) -> Tensor:
    """(B,) a number for each text; equal texts have equal numbers."""
    ids_BT = answers.values + 1
    if answers.mask is not None:
        ids_BT = ids_BT * answers.mask
    key_B = torch.zeros_like(ids_BT[:, 0])
    for ids_B in ids_BT.unbind(dim=1):
        key_B = torch.where(ids_B > 0, key_B * _FACTOR + ids_B, key_B)
    return key_B


@dataclass(frozen=True)
class AnswerRankingConfig(Config[Objective]):
    """Ranks the right answer among the answers of the batch."""

    answer: str = "answer"
    """Stream of the answers, which the fusion does not read."""
    temperature: TemperatureConfig = field(default_factory=TemperatureConfig)
    """By which cosines are divided."""

    @property
    def needs(self) -> Needs:
        return Needs(embeddings=(JOINT, self.answer), fusion=True)

    def build(self) -> AnswerRanking:
        return AnswerRanking(self)
