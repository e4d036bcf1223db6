"""What is explained: one number a row, such as the logit of the answer that the model gives."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from weft.architectures.model import Model
from weft.core.errors import WeftError
from weft.core.interfaces import SpecialTokens
from weft.core.records import Batch, Features, Field
from weft.heads.classes import ClassOutput
from weft.heads.output import Learned
from weft.heads.texts import TextOutput


class Decision(Protocol):
    """What a model says of encoded streams: (B, V) logits, or (B, 1) of one number.

    names: what the outputs mean, in their order; later ones may have none. by_fusion: the model comes
    to it by encoders and fusion alone, so that their attention is all there is. reads: the streams that
    it reads. there: (B,) True where the row has what it is made of.
    """

    @property
    def names(self) -> tuple[str, ...]: ...

    @property
    def by_fusion(self) -> bool: ...

    def reads(self, model: Model) -> tuple[str, ...]: ...

    def there(self, model: Model, streams: Mapping[str, Features]) -> Tensor: ...

    def logits(self, model: Model, streams: Mapping[str, Features], batch: Batch) -> Tensor: ...


@dataclass(frozen=True)
class HeadDecision:
    """What a head of the model says of the fused streams: a class or a number."""

    head: str
    names: tuple[str, ...] = ()
    by_fusion: bool = True

    def reads(self, model: Model) -> tuple[str, ...]:
        return model.streams_of(self.head)

    def there(self, model: Model, streams: Mapping[str, Features]) -> Tensor:
        return _has_context(model, self.head, streams)

    def logits(self, model: Model, streams: Mapping[str, Features], batch: Batch) -> Tensor:  # noqa: ARG002
        return model.decode(self.head, model.fuse(streams)).float()


@dataclass(frozen=True)
class SimilarityDecision:
    """The cosine of two streams' embeddings."""

    first: str
    second: str
    names: tuple[str, ...] = ("similarity",)
    by_fusion: bool = True

    def reads(self, model: Model) -> tuple[str, ...]:  # noqa: ARG002
        return (self.first, self.second)

    def there(self, model: Model, streams: Mapping[str, Features]) -> Tensor:  # noqa: ARG002
        both = [streams[s].present for s in (self.first, self.second) if s in streams]
        there_B = torch.stack(both).all(dim=0)
        return there_B if len(both) == 2 else torch.zeros_like(there_B)

    def logits(self, model: Model, streams: Mapping[str, Features], batch: Batch) -> Tensor:  # noqa: ARG002
        first_BE, second_BE = (model.embed(s, streams[s]) for s in (self.first, self.second))
        return (first_BE * second_BE).sum(1, keepdim=True)


@dataclass(frozen=True)
class SentenceDecision:
    """The mean log-probability a token of a sentence about the streams; the batch holds the sentence."""

    head: str
    text: str
    names: tuple[str, ...] = ("log-probability",)
    by_fusion: bool = False

    def reads(self, model: Model) -> tuple[str, ...]:
        return model.streams_of(self.head)

    def there(self, model: Model, streams: Mapping[str, Features]) -> Tensor:
        return _has_context(model, self.head, streams)

    def logits(self, model: Model, streams: Mapping[str, Features], batch: Batch) -> Tensor:
        written = batch.inputs[self.text]
        if not isinstance(written, Field) or written.mask is None:
            raise ValueError(f"'{self.text}' holds no token ids with a mask")
        ids_BT, mask_BT = written.values, written.mask
        prefix = Field(ids_BT[:, :-1], mask_BT[:, 1:])
        logits_BTV = model.decode(self.head, model.fuse(streams), prefix)
        chances_BTV = logits_BTV.float().log_softmax(dim=2)
        next_BT1 = ids_BT[:, 1:, None].masked_fill(~mask_BT[:, 1:, None], 0)
        said_BT = chances_BTV.gather(2, next_BT1)[:, :, 0].masked_fill(~mask_BT[:, 1:], 0)
        return said_BT.sum(1, keepdim=True) / mask_BT[:, 1:].sum(1, keepdim=True).clamp_min(1)


@dataclass(frozen=True)
class Subject:
    """What is explained: a model in evaluation mode and a decision of it.

    fixed_ids: stream -> ids of special tokens, which are no part of what a person wrote: they are
    never taken away.
    """

    model: Model
    decision: Decision
    fixed_ids: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, model: Model, learned: Learned, head: str | None = None) -> "Subject":
        """The model and what that head decides, the first if none is named; of a model without heads
        how alike two streams are. Raises WeftError where there is nothing to explain."""
        special = {
            stream: modality.special_ids
            for stream, modality in learned.modalities.items()
            if isinstance(modality, SpecialTokens)
        }
        return cls(model, _decision(model, learned, head), special)

    def encode(self, batch: Batch) -> dict[str, Features]:
        """The streams of the batch that the decision reads."""
        model, read = self.model, self.decision.reads(self.model)
        return {s: model.encode(s, value) for s, value in batch.inputs.items() if s in read}

    @torch.no_grad()
    def logits(self, batch: Batch) -> Tensor:
        """(B, V) logits of the batch."""
        return self.decision.logits(self.model, self.encode(batch), batch)


def _decision(model: Model, learned: Learned, head: str | None) -> Decision:
    name = head or next(iter(model.heads), None)
    if name is not None:
        output = model.head(name).output
        if isinstance(output, TextOutput):
            return SentenceDecision(name, output.stream)
        if isinstance(output, ClassOutput):
            return HeadDecision(name, output.names(learned))
        return HeadDecision(name, (name,))
    embedded = [stream for stream in model.encoders if stream in model.projections]
    if len(embedded) >= 2:
        return SimilarityDecision(embedded[0], embedded[1])
    raise WeftError(
        "the model has no heads and no two streams with projections, so there is no decision to explain"
    )


def _has_context(model: Model, head: str, streams: Mapping[str, Features]) -> Tensor:
    """(B,) True where the row has something of what the head reads after fusion."""
    fused = model.fuse(streams)
    context = model.head(head).context
    if context not in fused and context in model.fused_streams:
        return torch.zeros_like(next(iter(streams.values())).present)
    return model.head(head).reads(fused).present


def chosen(logits_BV: Tensor) -> Tensor:
    """(B,) the output that is explained: the largest."""
    return logits_BV.argmax(1)


def scores(logits_BV: Tensor, chosen_B: Tensor) -> Tensor:
    """(B,) the probability of the chosen class; of a single number, that number."""
    values_BV = logits_BV.softmax(1) if logits_BV.shape[1] > 1 else logits_BV
    return values_BV.gather(1, chosen_B[:, None])[:, 0]
