"""Decisions that can be explained: the answer of a model for encoded streams, and the score of an answer."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
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
from weft.heads.numbers import NumberOutput, NumberValues
from weft.heads.output import Part, Scored, Scores, Values, mean
from weft.modalities.parts import parts_of

Encoded = Mapping[str, Features]


@dataclass(frozen=True)
class Decision(ABC):
    """A decision of a model in evaluation mode. learned: what the run's tokenizers and targets have learned.

    Several decisions of the same kind form an ensemble: of models, or of views of the same rows.
    """

    model: Model
    learned: Learned

    @property
    @abstractmethod
    def reads(self) -> tuple[str, ...]:
        """The streams that the decision depends on."""

    @property
    def attends(self) -> bool:
        """Whether some part after encoders and fusion attends to tokens too, such as a text decoder."""
        return False

    @property
    def views(self) -> int:
        """Number of evaluation views of each row that the decision uses."""
        return 1

    @property
    def number(self) -> NumberOutput | None:
        """The output, if the score is a predicted number, which may rise or fall without a part of the input. None if
        a lower score means a worse answer."""
        return None

    @abstractmethod
    def there(self, streams: Encoded) -> Tensor:
        """(B,) True where the row has the streams that the decision needs."""

    @abstractmethod
    def part(self, streams: Encoded) -> Any:
        """Computes from the rows the input of `answer`."""

    @abstractmethod
    def answer(self, parts: Sequence[Any]) -> Values:
        """Returns the answers for the B rows, from the parts of all members of the ensemble together."""

    @abstractmethod
    def scores(self, streams: Encoded, said: Values) -> Scores:
        """Returns this model's scores of the answers `said` for the B rows. They are differentiable."""

    @abstractmethod
    def score_text(self, value: float) -> str:
        """Formats a score for display beside the answer."""

    def encode(self, batch: Batch) -> dict[str, Features]:
        """Encodes the streams of the batch that the decision depends on."""
        return {s: self.model.encode(s, v) for s, v in batch.inputs.items() if s in self.reads}

    def parts(self, stream: str) -> Removable:
        """Returns the object that removes parts of the stream."""
        return parts_of(self.learned.modalities.get(stream))

    @torch.no_grad()
    def said(self, batch: Batch) -> Values:
        """Returns the answers of this model alone for the batch."""
        return self.answer([self.part(self.encode(batch))])

    @torch.no_grad()
    def values(self, batch: Batch, said: Values) -> Tensor:
        """(B,) scores of the answers `said`, as they are displayed."""
        return self.scores(self.encode(batch), said).values


class Seen(NamedTuple):
    """Encoded rows, and the decision about them."""

    decision: Decision
    streams: Encoded


def answer(seen: Sequence[Seen]) -> Values:
    """Returns the ensemble's answers for the B rows."""
    return seen[0].decision.answer([one.decision.part(one.streams) for one in seen])


def mean_scores(seen: Sequence[Seen], said: Values) -> Tensor:
    """(B,) the mean over the ensemble of the scores of `said`, on the CPU."""
    each = [one.decision.scores(one.streams, said).values.detach().cpu() for one in seen]
    return torch.stack(each).mean(dim=0)


@dataclass(frozen=True)
class HeadDecision(Decision):
    """The prediction of a head of the model."""

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
    def number(self) -> NumberOutput | None:
        output = self._head.output
        return output if isinstance(output, NumberOutput) else None

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
        """Returns the decoder, and the features of the rows that it reads."""
        return Part(self._head.decoder, self._head.reads(self.model.fuse(streams)), self.learned)

    def answer(self, parts: Sequence[Part]) -> Values:
        return self._head.output.read(parts)

    def scores(self, streams: Encoded, said: Values) -> Scores:
        return _scored(self._head, self.head).scores(self.part(streams), said)

    def score_text(self, value: float) -> str:
        return self._head.output.score_text(value)


@dataclass(frozen=True)
class NamedNumbers(NumberValues):
    """Numbers whose answer is displayed as their name; the number is the score beside it."""

    name: str = "similarity"

    def said(self, row: int) -> str:  # noqa: ARG002
        return self.name


@dataclass(frozen=True)
class SimilarityDecision(Decision):
    """The cosine of two embeddings. Each is of a stream or, with the name JOINT, of the fused streams.

    negative: the negative cosine instead, so that the parts are relevant that do not fit.
    """

    first: str
    second: str
    negative: bool = False

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
        """(B,) cosines, or negative ones; 0 for a row that lacks one of the two."""
        pair = {name: self._features(name, streams) for name in (self.first, self.second)}
        embedded = [self.model.embed(name, one) for name, one in pair.items() if one is not None]
        if len(embedded) < 2:
            return torch.zeros(len(next(iter(streams.values()))))
        cosines_B = (embedded[0] * embedded[1]).sum(1)
        return -cosines_B if self.negative else cosines_B

    def answer(self, parts: Sequence[Tensor]) -> NamedNumbers:
        return NamedNumbers(mean(parts), name="negative cosine" if self.negative else "similarity")

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


def _scored(head: Head, name: str) -> Scored:
    """The head's output. Raises WeftError if its predictions have no score, such as generated pictures."""
    if not isinstance(head.output, Scored):
        raise WeftError(
            f"head '{name}' {head.output.does}; they have no score, so they cannot be explained, expected a head that "
            "predicts classes, tags or numbers, or writes texts"
        )
    return head.output


def decision_of(
    model: Model,
    learned: Learned,
    head: str | None = None,
    similarity: tuple[str, str] | None = None,
    given: Collection[str] = (),
) -> Decision:
    """Returns the decision to explain: the similarity of the two streams if given, otherwise the prediction of `head`.

    By default it is the prediction of the first head; for a model without heads, the similarity of two streams with
    projections: those in `given` first, then the others in the model's order. Raises WeftError if a name is unknown,
    the head's predictions have no score, or there is no decision.
    """
    if similarity is not None:
        unknown = [name for name in similarity if name not in model.projections]
        if unknown:
            raise unknown_name("projection of the model", unknown[0], model.projections)
        return SimilarityDecision(model, learned, *similarity)
    name = head or next(iter(model.heads), None)
    if name is not None:
        _scored(model.head(name), name)  # raises at once if there is nothing to explain
        return HeadDecision(model, learned, name)
    embedded = [stream for stream in model.encoders if stream in model.projections]
    if len(embedded) >= 2:
        first, second, *_ = sorted(embedded, key=lambda stream: stream not in given)
        return SimilarityDecision(model, learned, first, second)
    raise WeftError(
        "the model has no heads and no two streams with projections, so there is no decision to explain"
    )
