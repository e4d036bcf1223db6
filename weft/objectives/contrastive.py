"""Contrastive objectives between the embeddings of two streams.

Every objective here is a mean over the local rows of a cost against the columns of all ranks. The
mean over ranks, which data-parallel training takes of gradients and logs, is therefore the value
that one rank with the whole batch would have computed. Rows of the same `batch.groups` are
positives of each other, so a second caption of the same picture is never pushed away.
"""

from dataclasses import dataclass, field
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.distributed import gather, rank, world_size
from weft.core.interfaces import EncodedStreams
from weft.core.records import Batch, Field, Loss
from weft.core.shapes import check_shape
from weft.objectives.temperature import TemperatureConfig


@dataclass(frozen=True)
class Pairs:
    """Cosines of this rank's B rows with the A columns of all ranks, in fp32.

    forward_BA: rows of the first stream, columns of the second; backward_BA: the other way round.
    positives_BA: True where row and column belong to one group. own_B: the column of a row's own
    partner.
    """

    forward_BA: Tensor  # noqa: N815
    backward_BA: Tensor  # noqa: N815
    positives_BA: Tensor  # noqa: N815
    own_B: Tensor  # noqa: N815

    def accuracy(self) -> Tensor:
        """Share of rows whose nearest column is a positive, mean of both directions."""
        hits = [
            self.positives_BA.gather(1, cosines.argmax(1, keepdim=True)).float().mean()
            for cosines in (self.forward_BA, self.backward_BA)
        ]
        return torch.stack(hits).mean().detach()


def pairs(batch: Batch, streams: EncodedStreams, names: tuple[str, str]) -> Pairs:
    """The cosines between two streams of the batch; every row must have both."""
    if names[0] == names[1]:
        raise ValueError(f"both streams are '{names[0]}', expected two different ones")
    for name in names:
        value = batch.inputs.get(name)
        if isinstance(value, Field) and value.present is not None and not value.present.all():
            raise ValueError(
                f"stream '{name}' is missing in {int((~value.present).sum())} of {len(batch)} rows, "
                "expected both streams of a contrastive pair in every row"
            )
    first_BE, second_BE = (streams.embedding(name).float() for name in names)
    check_shape(second_BE, "B E", f"the embedding of '{names[1]}'", E=first_BE.shape[1])
    # Autocast would round the operands of the products to 8 bits of mantissa.
    with torch.autocast(first_BE.device.type, enabled=False):
        forward_BA = first_BE @ gather(second_BE).T
        backward_BA = forward_BA.T if world_size() == 1 else second_BE @ gather(first_BE).T
    positives_BA = batch.groups[:, None] == gather(batch.groups)[None, :]
    own_B = torch.arange(len(batch), device=batch.groups.device) + rank() * len(batch)
    return Pairs(forward_BA, backward_BA, positives_BA, own_B)


class SoftmaxContrastive(nn.Module):
    """InfoNCE in both directions (CLIP, section 2.3 and figure 3).

    The target of a row is uniform over all columns of its group. The total is the mean of the two
    directions' cross-entropies, each a mean over rows.
    """

    def __init__(self, config: "SoftmaxContrastiveConfig") -> None:
        super().__init__()
        self._streams = config.streams
        self._label_smoothing = config.label_smoothing
        self.temperature = config.temperature.build()

    def forward(self, model: nn.Module, batch: Batch, streams: EncodedStreams) -> Loss:  # noqa: ARG002
        found = pairs(batch, streams, self._streams)
        scale = self.temperature()
        targets_BA = found.positives_BA / found.positives_BA.sum(1, keepdim=True)
        costs = [
            F.cross_entropy(scale * cosines, targets_BA, label_smoothing=self._label_smoothing)
            for cosines in (found.forward_BA, found.backward_BA)
        ]
        terms = {"temperature": 1 / scale.detach(), "accuracy": found.accuracy()}
        return Loss(torch.stack(costs).mean(), terms)


class SigmoidContrastive(nn.Module):
    """A yes-or-no question of every pair (SigLIP, algorithm 1), with positives by group.

    The total is the sum over columns of -log sigmoid(label * (scale * cosine + bias)), mean over
    rows.
    """

    def __init__(self, config: "SigmoidContrastiveConfig") -> None:
        super().__init__()
        self._streams = config.streams
        self.temperature = config.temperature.build()
        self.bias = nn.Parameter(torch.tensor(config.bias))

    def forward(self, model: nn.Module, batch: Batch, streams: EncodedStreams) -> Loss:  # noqa: ARG002
        found = pairs(batch, streams, self._streams)
        scale = self.temperature()
        logits_BA = scale * found.forward_BA + self.bias
        signs_BA = torch.where(found.positives_BA, 1.0, -1.0)
        terms = {
            "temperature": 1 / scale.detach(),
            "bias": self.bias.detach().clone(),
            "accuracy": found.accuracy(),
        }
        return Loss(-F.logsigmoid(signs_BA * logits_BA).sum(1).mean(), terms)


class HingeContrastive(nn.Module):
    """Ranking by a margin: sum over negatives (VSE++, eq. 5; DeViSE, eq. 1) or hardest (eq. 6).

    A row's cost is [margin - s(own pair) + s(negative)]+, summed over the negatives or taken of the
    worst one. Columns of the row's own group are no negatives. The total is the mean over rows,
    added over the directions asked for; it is 0 where a batch has no negatives.
    """

    def __init__(self, config: "HingeContrastiveConfig") -> None:
        super().__init__()
        self._config = config

    def forward(self, model: nn.Module, batch: Batch, streams: EncodedStreams) -> Loss:  # noqa: ARG002
        found = pairs(batch, streams, self._config.streams)
        asked = {
            "both": (found.forward_BA, found.backward_BA),
            "forward": (found.forward_BA,),
            "backward": (found.backward_BA,),
        }[self._config.directions]
        costs_BA = [self._costs(cosines, found) for cosines in asked]
        active = torch.stack([(costs > 0).float().mean() for costs in costs_BA]).mean()
        rows = [
            costs.amax(1) if self._config.negatives == "hardest" else costs.sum(1)
            for costs in costs_BA
        ]
        terms = {"active": active.detach(), "accuracy": found.accuracy()}
        return Loss(torch.stack(rows).sum(0).mean(), terms)

    def _costs(self, cosines_BA: Tensor, found: Pairs) -> Tensor:
        own_B1 = cosines_BA.gather(1, found.own_B[:, None])
        costs_BA = (self._config.margin - own_B1 + cosines_BA).clamp(min=0)
        return costs_BA.masked_fill(found.positives_BA, 0.0)


@dataclass(frozen=True)
class SoftmaxContrastiveConfig(Config):
    """Softmax contrastive loss (CLIP)."""

    streams: tuple[str, str] = ("image", "text")
    """The two streams that are pulled together."""
    temperature: TemperatureConfig = field(default_factory=TemperatureConfig)
    label_smoothing: float = 0.0
    """Share of the target that is spread evenly over all columns."""

    def __post_init__(self) -> None:
        if not 0 <= self.label_smoothing <= 1:
            raise ValueError(f"label_smoothing is {self.label_smoothing}, expected 0 to 1")

    def build(self) -> SoftmaxContrastive:
        return SoftmaxContrastive(self)


@dataclass(frozen=True)
class SigmoidContrastiveConfig(Config):
    """Sigmoid contrastive loss (SigLIP, which starts at temperature 0.1 and bias -10)."""

    streams: tuple[str, str] = ("image", "text")
    """The two streams that are pulled together."""
    temperature: TemperatureConfig = field(default_factory=lambda: TemperatureConfig(init=0.1))
    bias: float = -10.0
    """Logit of an orthogonal pair at the start; learned."""

    def build(self) -> SigmoidContrastive:
        return SigmoidContrastive(self)


@dataclass(frozen=True)
class HingeContrastiveConfig(Config):
    """Margin ranking loss (VSE++, DeViSE)."""

    streams: tuple[str, str] = ("image", "text")
    """The two streams that are pulled together."""
    margin: float = 0.2
    """By how much a row's own pair must beat a negative, in cosine."""
    negatives: Literal["sum", "hardest"] = "hardest"
    """Count every negative of the batch, or only the worst one of each row."""
    directions: Literal["both", "forward", "backward"] = "both"
    """forward: the first stream looks for the second (DeViSE), backward: the other way round."""

    def build(self) -> HingeContrastive:
        return HingeContrastive(self)
