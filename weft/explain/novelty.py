"""The score of rows that are unlike the training rows, as a decision whose causes are found."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from weft.core.interfaces import JOINT
from weft.explain.decision import Decision, Encoded, NamedNumbers
from weft.heads.output import Scores, Values, mean
from weft.inference.novelty_scores import NoveltyScore, NoveltyScorer, RowVectors, vectors_of


@dataclass(frozen=True)
class NoveltyDecision(Decision):
    """A novelty score. Relevant are the parts without which the row would be more like the training rows.

    streams: those by which rows are compared, or JOINT.
    """

    scorer: NoveltyScorer
    score: NoveltyScore
    streams: tuple[str, ...]

    @property
    def reads(self) -> tuple[str, ...]:
        fused = self.model.fused_streams if JOINT in self.streams else ()
        return tuple(dict.fromkeys((*fused, *(s for s in self.streams if s != JOINT))))

    def there(self, streams: Encoded) -> Tensor:
        return torch.stack([one.present for one in streams.values()]).any(dim=0)

    def part(self, streams: Encoded) -> Tensor:
        """(B,) scores."""
        first = next(iter(streams.values()))
        count, device = len(first), first.pooled.device
        vectors, present = vectors_of(self.model, streams, self.streams, count)
        rows = RowVectors(tuple(range(count)), torch.arange(count), vectors, present)
        return self.scorer.of(rows)[self.score].float().to(device)

    def answer(self, parts: Sequence[Tensor]) -> NamedNumbers:
        return NamedNumbers(mean(parts), name="strangeness")

    def scores(self, streams: Encoded, said: Values) -> Scores:  # noqa: ARG002
        scores_B = self.part(streams)
        return Scores(scores_B, scores_B)

    def score_text(self, value: float) -> str:
        return f"{value:.3f}"
