"""Contrastive objectives between the embeddings of two streams.

Every objective here is a mean over the rows of all ranks of a cost against the columns of all ranks.
Rows of the same `batch.match_keys` are positives of each other, so a second caption of the same picture is
never pushed away.
"""

from dataclasses import dataclass, field
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.interfaces import EncodedStreams, Objective, Reader
from weft.core.needs import Needs
from weft.core.ranges import COUNT, FINITE, NOT_NEGATIVE, SHARE, require
from weft.core.records import Batch, Loss
from weft.objectives.similarity import Similarities, directions
from weft.objectives.temperature import TemperatureConfig


class SoftmaxContrastive(nn.Module):
    """InfoNCE in both directions (CLIP, section 2.3 and figure 3).

    The target of a row is uniform over all columns that match it. The total is the mean of the two
    directions' cross-entropies, each a mean over rows.
    """

    def __init__(self, config: "SoftmaxContrastiveConfig") -> None:
        super().__init__()
        self._streams = config.streams
        self._label_smoothing = config.label_smoothing
        self._chunk = config.chunk
        self.temperature = config.temperature.build()

    def forward(self, model: Reader, batch: Batch, streams: EncodedStreams) -> Loss:  # noqa: ARG002
        scale = self.temperature()

        def measure(found: Similarities) -> tuple[Tensor, Tensor]:
            targets_RA = found.positives_RA / found.positives_RA.sum(1, keepdim=True)
            costs_R = F.cross_entropy(
                scale * found.cosines_RA,
                targets_RA,
                label_smoothing=self._label_smoothing,
                reduction="none",
            )
            return costs_R, found.hits()

        both = directions(batch, streams, self._streams)
        cost, accuracy = torch.stack([one.mean(measure, self._chunk) for one in both]).mean(0)
        terms = {"temperature": 1 / scale.detach(), "accuracy": accuracy.detach()}
        return Loss(cost, terms)


class SigmoidContrastive(nn.Module):
    """A yes-or-no question of every pair (SigLIP, algorithm 1), with the matching rows as positives.

    The total is the sum over columns of -log sigmoid(label * (scale * cosine + bias)), mean over
    rows.
    """

    def __init__(self, config: "SigmoidContrastiveConfig") -> None:
        super().__init__()
        self._streams = config.streams
        self._chunk = config.chunk
        self.temperature = config.temperature.build()
        self.bias = nn.Parameter(torch.tensor(config.bias))

    def forward(self, model: Reader, batch: Batch, streams: EncodedStreams) -> Loss:  # noqa: ARG002
        scale = self.temperature()

        def measure(found: Similarities) -> tuple[Tensor, Tensor]:
            logits_RA = scale * found.cosines_RA + self.bias
            signs_RA = torch.where(found.positives_RA, 1.0, -1.0)
            return -F.logsigmoid(signs_RA * logits_RA).sum(1), found.hits()

        forward, backward = directions(batch, streams, self._streams)
        cost, hits = forward.mean(measure, self._chunk)
        # A pair is one question, so the other direction adds to the accuracy alone.
        (other_hits,) = backward.mean(lambda found: (found.hits(),), self._chunk)
        terms = {
            "temperature": 1 / scale.detach(),
            "bias": self.bias.detach().clone(),
            "accuracy": (hits.detach() + other_hits.detach()) / 2,
        }
        return Loss(cost, terms)


class HingeContrastive(nn.Module):
    """Ranking by a margin: sum over negatives (VSE++, eq. 5; DeViSE, eq. 1) or hardest (eq. 6).

    A row's cost is [margin - s(own pair) + s(negative)]+, summed over the negatives or taken of the
    worst one. Columns that match the row are no negatives. The total is the mean over rows,
    added over the directions asked for; it is 0 where a batch has no negatives.
    """

    def __init__(self, config: "HingeContrastiveConfig") -> None:
        super().__init__()
        self._config = config

    def forward(self, model: Reader, batch: Batch, streams: EncodedStreams) -> Loss:  # noqa: ARG002
        both = directions(batch, streams, self._config.streams)
        means = [one.mean(self._measure, self._config.chunk) for one in both]
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
class SoftmaxContrastiveConfig(Config[Objective]):
    """Softmax contrastive loss (CLIP)."""

    streams: tuple[str, str] = ("image", "text")
    """The two streams that are pulled together."""
    temperature: TemperatureConfig = field(default_factory=TemperatureConfig)
    label_smoothing: float = 0.0
    """Share of the target that is spread evenly over all columns."""
    chunk: int | None = None
    """Rows whose similarities are in memory at a time, None for all. Exact, for a second product."""

    def __post_init__(self) -> None:
        require(self, label_smoothing=SHARE, chunk=COUNT)

    @property
    def needs(self) -> Needs:
        return Needs(embeddings=self.streams, together=self.streams)

    def build(self) -> SoftmaxContrastive:
        return SoftmaxContrastive(self)


@dataclass(frozen=True)
class SigmoidContrastiveConfig(Config[Objective]):
    """Sigmoid contrastive loss (SigLIP, which starts at temperature 0.1 and bias -10)."""

    streams: tuple[str, str] = ("image", "text")
    """The two streams that are pulled together."""
    temperature: TemperatureConfig = field(default_factory=lambda: TemperatureConfig(init=0.1))
    bias: float = -10.0
    """Logit of an orthogonal pair at the start; learned."""
    chunk: int | None = None
    """Rows whose similarities are in memory at a time, None for all. Exact, for a second product."""

    def __post_init__(self) -> None:
        require(self, bias=FINITE, chunk=COUNT)

    @property
    def needs(self) -> Needs:
        return Needs(embeddings=self.streams, together=self.streams)

    def build(self) -> SigmoidContrastive:
        return SigmoidContrastive(self)


@dataclass(frozen=True)
class HingeContrastiveConfig(Config[Objective]):
    """Margin ranking loss (VSE++, DeViSE)."""

    streams: tuple[str, str] = ("image", "text")
    """The two streams that are pulled together."""
    margin: float = 0.2
    """By how much a row's own pair must beat a negative, in cosine."""
    negatives: Literal["sum", "hardest"] = "hardest"
    """Count every negative of the batch, or only the worst one of each row."""
    directions: Literal["both", "forward", "backward"] = "both"
    """forward: the first stream looks for the second (DeViSE), backward: the other way round."""
    chunk: int | None = None
    """Rows whose similarities are in memory at a time, None for all. Exact, for a second product."""

    def __post_init__(self) -> None:
        require(self, margin=NOT_NEGATIVE, chunk=COUNT)

    @property
    def needs(self) -> Needs:
        return Needs(embeddings=self.streams, together=self.streams)

    def build(self) -> HingeContrastive:
        return HingeContrastive(self)
