"""What is explained: what a model says of encoded streams, and how strongly it says it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from weft.architectures.model import Model
from weft.core.errors import WeftError, unknown_name
from weft.core.interfaces import JOINT, Removable
from weft.core.records import Batch, Features
from weft.data.learned import Learned
from weft.heads.head import Head
from weft.heads.numbers import NumberValues
from weft.heads.output import Part, Scores, Values, mean
from weft.modalities.parts import parts_of

Encoded = Mapping[str, Features]


@dataclass(frozen=True)
class Decision(ABC):
    """A decision of a model in evaluation mode, and what its run has learned.

    Several of one kind are an ensemble: other models, or other views of the same rows.
    """

    model: Model
    learned: Learned

    @property
    @abstractmethod
    def reads(self) -> tuple[str, ...]:
        """The streams that it is made of."""

    @property
    def attends(self) -> bool:
        """Whether more than encoders and fusion attends to tokens on the way to it."""
        return False

    @property
    def views(self) -> int:
        """The evaluation views of each row that it is made of."""
        return 1

    @abstractmethod
    def there(self, streams: Encoded) -> Tensor:
        """(B,) True where the row has what the decision is made of."""

    @abstractmethod
    def part(self, streams: Encoded) -> Any:
        """What `answer` needs of the rows."""

    @abstractmethod
    def answer(self, parts: Sequence[Any]) -> Values:
        """What is said of the B rows, by all parts together."""

    @abstractmethod
    def scores(self, streams: Encoded, said: Values) -> Scores:
        """How strongly this model says `said` of the B rows; can be differentiated."""

    @abstractmethod
    def score_text(self, value: float) -> str:
        """A score as it stands beside the answer."""

    def encode(self, batch: Batch) -> dict[str, Features]:
        """The streams of the batch that the decision is made of."""
        return {s: self.model.encode(s, v) for s, v in batch.inputs.items() if s in self.reads}

    def parts(self, stream: str) -> Removable:
        """How parts of the stream are taken away."""
        return parts_of(self.learned.modalities.get(stream))

    @torch.no_grad()
    def said(self, batch: Batch) -> Values:
        """What this model alone says of the batch."""
        return self.answer([self.part(self.encode(batch))])

    @torch.no_grad()
    def values(self, batch: Batch, said: Values) -> Tensor:
        """(B,) scores of `said`, as a person is shown them."""
        return self.scores(self.encode(batch), said).values


class Seen(NamedTuple):
    """Encoded rows, and the decision that is made of them."""

    decision: Decision
    streams: Encoded


def answer(seen: Sequence[Seen]) -> Values:
    """What all say together of the B rows."""
    return seen[0].decision.answer([one.decision.part(one.streams) for one in seen])


def mean_scores(seen: Sequence[Seen], said: Values) -> Tensor:
    """(B,) the mean of what each scores `said`, on the CPU."""
    each = [one.decision.scores(one.streams, said).values.detach().cpu() for one in seen]
    return torch.stack(each).mean(dim=0)


@dataclass(frozen=True)
class HeadDecision(Decision):
    """What a head of the model says."""

    head: str

    @property
    def reads(self) -> tuple[str, ...]:
        return self.model.streams_of(self.head)

    @property
    def attends(self) -> bool:
        return self._head.output.attends

    @property
    def views(self) -> int:
        return self._head.views

    @property
    def _head(self) -> Head:
        return self.model.head(self.head)

    def there(self, streams: Encoded) -> Tensor:
        fused = self.model.fuse(streams)
        context = self._head.context
        if context not in fused and context in self.model.fused_streams:
            return torch.zeros_like(next(iter(streams.values())).present)
        return self._head.reads(fused).present

    def part(self, streams: Encoded) -> Part:
        """The decoder and what it reads of the rows."""
        return Part(self._head.decoder, self._head.reads(self.model.fuse(streams)), self.learned)

    def answer(self, parts: Sequence[Part]) -> Values:
        return self._head.output.read(parts)

    def scores(self, streams: Encoded, said: Values) -> Scores:
        return self._head.output.scores(self.part(streams), said)

    def score_text(self, value: float) -> str:
        return self._head.output.score_text(value)


class Similarities(NumberValues):
    """Cosines, which are called what they are and not by their number."""

    def said(self, row: int) -> str:  # noqa: ARG002
        return "similarity"


@dataclass(frozen=True)
class SimilarityDecision(Decision):
    """The cosine of two embeddings, of streams or, as JOINT, of what the fusion makes of all."""

    first: str
    second: str

    @property
    def reads(self) -> tuple[str, ...]:
        fused = self.model.fused_streams if JOINT in (self.first, self.second) else ()
        named = (s for s in (self.first, self.second) if s != JOINT)
        return tuple(dict.fromkeys((*fused, *named)))

    def there(self, streams: Encoded) -> Tensor:
        pair = [self._features(name, streams) for name in (self.first, self.second)]
        found = [one.present for one in pair if one is not None]
        if len(found) < 2:
            return torch.zeros_like(next(iter(streams.values())).present)
        return torch.stack(found).all(dim=0)

    def part(self, streams: Encoded) -> Tensor:
        """(B,) cosines; 0 where a row lacks one of the two."""
        pair = {name: self._features(name, streams) for name in (self.first, self.second)}
        embedded = [self.model.embed(name, one) for name, one in pair.items() if one is not None]
        if len(embedded) < 2:
            return torch.zeros(len(next(iter(streams.values()))))
        return (embedded[0] * embedded[1]).sum(1)

    def answer(self, parts: Sequence[Tensor]) -> Similarities:
        return Similarities(mean(parts))

    def scores(self, streams: Encoded, said: Values) -> Scores:  # noqa: ARG002
        cosines_B = self.part(streams)
        return Scores(cosines_B, cosines_B)

    def score_text(self, value: float) -> str:
        return f"{value:.3f}"

    def _features(self, name: str, streams: Encoded) -> Features | None:
        if name != JOINT:
            return streams.get(name)
        fused = {s: f for s, f in streams.items() if s in self.model.fused_streams}
        return self.model.fuse(fused).get(JOINT) if fused else None


def decision_of(
    model: Model,
    learned: Learned,
    head: str | None = None,
    similarity: tuple[str, str] | None = None,
) -> Decision:
    """What that head says, or how alike the two are; of neither the first head, and of a model without
    heads the similarity of its first two streams. Raises WeftError where there is no decision."""
    if similarity is not None:
        unknown = [name for name in similarity if name not in model.projections]
        if unknown:
            raise unknown_name("projection of the model", unknown[0], model.projections)
        return SimilarityDecision(model, learned, *similarity)
    name = head or next(iter(model.heads), None)
    if name is not None:
        model.head(name)  # says at once where there is none
        return HeadDecision(model, learned, name)
    embedded = [stream for stream in model.encoders if stream in model.projections]
    if len(embedded) >= 2:
        return SimilarityDecision(model, learned, *embedded[:2])
    raise WeftError(
        "the model has no heads and no two streams with projections, so there is no decision to explain"
    )
