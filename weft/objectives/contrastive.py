"""Contrastive objectives between the embeddings of two streams, or of all pairs of several.

Every objective here is a mean over the rows of all ranks of a cost against the columns of all ranks; of several
pairs of streams the mean of theirs, each over the rows that have both.
Rows of the same `batch.match_keys` are positives of each other, so a second caption of the same picture is
never pushed away.
"""

from dataclasses import dataclass, field, replace
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.interfaces import Objective
from weft.core.needs import Needs
from weft.core.ranges import COUNT, FINITE, NOT_NEGATIVE, SHARE, require
from weft.core.records import Loss
from weft.objectives._stream_pairs import OverPairs, StreamPairs
from weft.objectives.similarity import Direction, Likeness, Similarities
from weft.objectives.temperature import TemperatureConfig


class SoftmaxContrastive(OverPairs):
    """InfoNCE in both directions (CLIP, section 2.3 and figure 3).

    The target of a row is uniform over all columns that match it. The total is the mean of the two
    directions' cross-entropies, each a mean over rows. With `soft_negatives` a column that does not match counts
    1 - strength x likeness in the denominator, so that what is nearly right is hardly pushed away (false negatives:
    Morgado et al. 2021, arXiv:2103.15916).
    """

    def __init__(self, config: "SoftmaxContrastiveConfig") -> None:
        super().__init__(config, config.soft_negatives)
        self._label_smoothing = config.label_smoothing
        self._chunk = config.chunk
        self.temperature = config.temperature.build()

    def of_pair(self, forward: Direction, backward: Direction) -> Loss:
        scale = self.temperature()

        def measure(found: Similarities) -> tuple[Tensor, Tensor]:
            targets_RA = found.positives_RA / found.positives_RA.sum(1, keepdim=True)
            logits_RA = scale * found.cosines_RA
            if found.weights_RA is not None:
                logits_RA = logits_RA + found.weights_RA.log()
            costs_R = F.cross_entropy(
                logits_RA,
                targets_RA,
                label_smoothing=self._label_smoothing,
                reduction="none",
            )
            return costs_R, found.hits()

        both = [one.mean(measure, self._chunk) for one in (forward, backward)]
        cost, accuracy = torch.stack(both).mean(0)
        terms = {"temperature": 1 / scale.detach(), "accuracy": accuracy.detach()}
        return Loss(cost, terms)


class SigmoidContrastive(OverPairs):
    """A binary classification of every pair (SigLIP, algorithm 1), with the matching rows as positives.

    The total is the sum over columns of -log sigmoid(label * (scale * cosine + bias)), mean over rows.
    """

    def __init__(self, config: "SigmoidContrastiveConfig") -> None:
        super().__init__(config)
        self._chunk = config.chunk
        self.temperature = config.temperature.build()
        self.bias = nn.Parameter(torch.tensor(config.bias))

    def of_pair(self, forward: Direction, backward: Direction) -> Loss:
        scale = self.temperature()

        def measure(found: Similarities) -> tuple[Tensor, Tensor]:
            logits_RA = scale * found.cosines_RA + self.bias
            signs_RA = torch.where(found.positives_RA, 1.0, -1.0)
            return -F.logsigmoid(signs_RA * logits_RA).sum(1), found.hits()

        cost, hits = forward.mean(measure, self._chunk)
        # A pair is one question, so the other direction adds to the accuracy alone.
        (other_hits,) = backward.mean(lambda found: (found.hits(),), self._chunk)
        terms = {
            "temperature": 1 / scale.detach(),
            "bias": self.bias.detach().clone(),
            "accuracy": (hits.detach() + other_hits.detach()) / 2,
        }
        return Loss(cost, terms)


class HingeContrastive(OverPairs):
    """Ranking with a margin: sum over negatives (VSE++, eq. 5; DeViSE, eq. 1) or hardest negative (eq. 6).

    A row's cost is [margin - s(own pair) + s(negative)]+, summed over the negatives or for the hardest one. Columns
    that match the row are not negatives. The total is the mean over rows, added over the chosen directions; it is 0
    if a batch has no negatives.
    """

    def __init__(self, config: "HingeContrastiveConfig") -> None:
        super().__init__(config)
        self._config = config

    def of_pair(self, forward: Direction, backward: Direction) -> Loss:
        means = [one.mean(self._measure, self._config.chunk) for one in (forward, backward)]
        asked = {"both": means, "forward": means[:1], "backward": means[1:]}
        costs, active, _ = torch.stack(asked[self._config.directions]).unbind(1)
        hits = torch.stack([mean[2].detach() for mean in means])
        return Loss(costs.sum(), {"active": active.detach().mean(), "accuracy": hits.mean()})

    def _measure(self, found: Similarities) -> tuple[Tensor, Tensor, Tensor]:
        own_R1 = found.cosines_RA.gather(1, found.own_R[:, None])
        costs_RA = (self._config.margin - own_R1 + found.cosines_RA).clamp(min=0)
        costs_RA = costs_RA.masked_fill(found.positives_RA, 0.0)
        hardest = self._config.negatives == "hardest"
        costs_R = costs_RA.amax(1) if hardest else costs_RA.sum(1)
        return costs_R, (costs_RA > 0).float().mean(1), found.hits()


@dataclass(frozen=True)
class SoftmaxContrastiveConfig(StreamPairs, Config[Objective]):
    """Softmax contrastive loss (CLIP)."""

    temperature: TemperatureConfig = field(default_factory=TemperatureConfig)
    label_smoothing: float = 0.0
    """Share of the target that is spread evenly over all columns."""
    soft_negatives: Likeness | None = None
    """Negatives weigh the less, the more their rows are alike in something else; None: all weigh 1."""
    chunk: int | None = None
    """Rows whose similarities are in memory at a time, None for all. Exact, for a second product."""

    def __post_init__(self) -> None:
        self.check_pairs()
        require(self, label_smoothing=SHARE, chunk=COUNT)

    @property
    def needs(self) -> Needs:
        own, soft = super().needs, self.soft_negatives
        if soft is None:
            return own
        embeddings = (*own.embeddings, *soft.needs.embeddings)
        return replace(own, embeddings=embeddings, targets=soft.needs.targets)

    def build(self) -> SoftmaxContrastive:
        return SoftmaxContrastive(self)


@dataclass(frozen=True)
class SigmoidContrastiveConfig(StreamPairs, Config[Objective]):
    """Sigmoid contrastive loss (SigLIP, which starts at temperature 0.1 and bias -10)."""

    temperature: TemperatureConfig = field(default_factory=lambda: TemperatureConfig(init=0.1))
    bias: float = -10.0
    """Logit of an orthogonal pair at the start; learned."""
    chunk: int | None = None
    """Rows whose similarities are in memory at a time, None for all. Exact, for a second product."""

    def __post_init__(self) -> None:
        self.check_pairs()
        require(self, bias=FINITE, chunk=COUNT)

    def build(self) -> SigmoidContrastive:
        return SigmoidContrastive(self)


@dataclass(frozen=True)
class HingeContrastiveConfig(StreamPairs, Config[Objective]):
    """Margin ranking loss (VSE++, DeViSE)."""

    margin: float = 0.2
    """By how much a row's own pair must beat a negative, in cosine."""
    negatives: Literal["sum", "hardest"] = "hardest"
    """Count every negative of the batch, or only the worst one of each row."""
    directions: Literal["both", "forward", "backward"] = "both"
    """forward: the first stream looks for the second (DeViSE), backward: the other way round."""
    chunk: int | None = None
    """Rows whose similarities are in memory at a time, None for all. Exact, for a second product."""

    def __post_init__(self) -> None:
        self.check_pairs()
        require(self, margin=NOT_NEGATIVE, chunk=COUNT)

    def build(self) -> HingeContrastive:
        return HingeContrastive(self)
