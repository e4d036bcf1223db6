"""What is explained: one number a row, such as the logit of the answer that the model gives."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from weft.architectures.model import Model
from weft.core.errors import WeftError
from weft.core.interfaces import JOINT
from weft.core.records import Batch, Features
from weft.data.targets.classes import Classes
from weft.decoders.classifier import Classifier
from weft.modalities.text import Text
from weft.tasks.base import Member


class Decision(Protocol):
    """What a model says of encoded streams: (B, V) logits, or (B, 1) of one number.

    names: what the outputs mean, in their order; later ones may have none.
    """

    @property
    def names(self) -> tuple[str, ...]: ...

    def logits(self, model: Model, streams: Mapping[str, Features]) -> Tensor: ...


@dataclass(frozen=True)
class ClassDecision:
    """What a classifier of the model says of the fused streams."""

    decoder: str
    names: tuple[str, ...] = ()
    context: str = JOINT

    def logits(self, model: Model, streams: Mapping[str, Features]) -> Tensor:
        return model.decode(self.decoder, model.fuse(streams)[self.context]).float()


@dataclass(frozen=True)
class SimilarityDecision:
    """The cosine of two streams' embeddings."""

    first: str
    second: str
    names: tuple[str, ...] = ("similarity",)

    def logits(self, model: Model, streams: Mapping[str, Features]) -> Tensor:
        first_BE, second_BE = (model.embed(s, streams[s]) for s in (self.first, self.second))
        return (first_BE * second_BE).sum(1, keepdim=True)


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
    def of(cls, member: Member) -> "Subject":
        """The model and the decision that it was trained for: its classifier, else the similarity of
        two streams. Raises WeftError where the model has neither."""
        texts = {s: m for s, m in member.modalities.items() if isinstance(m, Text)}
        return cls(
            member.model, _decision(member), {s: text.special_ids for s, text in texts.items()}
        )

    def encode(self, batch: Batch) -> dict[str, Features]:
        """The streams of the batch that have an encoder."""
        model = self.model
        return {
            s: model.encode(s, value) for s, value in batch.inputs.items() if s in model.encoders
        }

    @torch.no_grad()
    def logits(self, batch: Batch) -> Tensor:
        """(B, V) logits of the batch."""
        return self.decision.logits(self.model, self.encode(batch))


def _decision(member: Member) -> Decision:
    model = member.model
    for name, decoder in model.decoders.items():
        if isinstance(decoder, Classifier):
            target = member.targets.get(name)
            names = target.classes if isinstance(target, Classes) else ()
            return ClassDecision(name, names, _context(model))
    embedded = [stream for stream in model.encoders if stream in model.projections]
    if len(embedded) >= 2:
        return SimilarityDecision(embedded[0], embedded[1])
    raise WeftError(
        "the model has neither a classifier nor two streams with projections, so there is no decision "
        f"to explain; its decoders are: {', '.join(model.decoders) or 'none'}"
    )


def _context(model: Model) -> str:
    """What the classifier reads: JOINT of the fusion, or the only stream of a model without one."""
    return JOINT if model.fusion is not None else next(iter(model.encoders))


def chosen(logits_BV: Tensor) -> Tensor:
    """(B,) the output that is explained: the largest."""
    return logits_BV.argmax(1)


def scores(logits_BV: Tensor, chosen_B: Tensor) -> Tensor:
    """(B,) the probability of the chosen class; of a single number, that number."""
    values_BV = logits_BV.softmax(1) if logits_BV.shape[1] > 1 else logits_BV
    return values_BV.gather(1, chosen_B[:, None])[:, 0]
