"""Adversarial alignment: embeddings from which a classifier cannot tell the modality."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.distributed import mean_of_all, sum_of_all
from weft.core.interfaces import EncodedStreams, Objective, Reader
from weft.core.needs import Needs
from weft.core.ranges import COUNT, NOT_NEGATIVE, require
from weft.core.records import ACCURACY, Batch, Loss


class _Reversed(torch.autograd.Function):
    """The identity; its gradient is reversed and scaled."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, scale: float) -> Tensor:
        ctx.scale = scale
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return -ctx.scale * gradients[0], None


class ModalityAdversary(nn.Module):
    """A classifier learns from which stream an embedding comes. Through the reversed gradient, the encoders learn
    to hide it.

    Ganin et al. 2016, arXiv:1505.07818, section 4.2, with modalities instead of domains; one player trains both.

    With `matching` the means of the streams' embeddings are pulled together as well (feature matching: Salimans et al.
    2016, arXiv:1606.03498, section 3.1). No linear classifier can then do better than a constant: it can exactly where the
    means differ (Belrose et al. 2023, arXiv:2306.03819, theorem 3.1).
    """

    def __init__(self, config: "ModalityAdversaryConfig") -> None:
        super().__init__()
        self.config = config
        widths = (config.dim, *config.hidden)
        layers: list[nn.Module] = []
        for before, after in zip(widths, config.hidden, strict=False):
            layers += [nn.Linear(before, after), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, nn.Linear(widths[-1], len(config.streams)))

    def forward(self, model: Reader, batch: Batch, streams: EncodedStreams) -> Loss:  # noqa: ARG002
        costs: list[Tensor] = []
        right: list[Tensor] = []
        embedded: list[Tensor] = []
        for number, stream in enumerate(self.config.streams):
            embedded_BE = streams.embedding(stream)
            there_B = batch.present((stream,))
            if there_B is not None:
                embedded_BE = embedded_BE[there_B]
            embedded.append(embedded_BE)
            hidden_BE: Tensor = _Reversed.apply(embedded_BE, self.config.strength)  # type: ignore[no-untyped-call]
            logits_RS = self.layers(hidden_BE).float()
            target_R = torch.full((len(logits_RS),), number, device=logits_RS.device)
            costs.append(F.cross_entropy(logits_RS, target_R, reduction="none"))
            right.append((logits_RS.argmax(1) == target_R).float())
        total = mean_of_all(torch.cat(costs))
        terms = {ACCURACY: mean_of_all(torch.cat(right)).detach()}
        if self.config.matching:
            apart = apart_of(embedded)
            total = total + self.config.matching * apart
            terms["apart"] = apart.detach()
        return Loss(total, terms)


def apart_of(embedded: Sequence[Tensor]) -> Tensor:
    """The squared distance of the means of the streams' embeddings, (R, E) each, from the mean of these means.

    A mean over the streams, of the rows of all ranks; streams that no row has are left out.
    """
    count_S = sum_of_all(torch.tensor([len(rows) for rows in embedded], device=embedded[0].device))
    sum_SE = sum_of_all(torch.stack([rows.float().sum(0) for rows in embedded]))
    mean_SE = sum_SE[count_S > 0] / count_S[count_S > 0, None]
    return (mean_SE - mean_SE.mean(0)).square().sum() / max(1, len(mean_SE))


@dataclass(frozen=True)
class ModalityAdversaryConfig(Config[Objective]):
    """Adversarial alignment: a classifier predicts the modality, and the encoders learn to deceive it."""

    dim: int
    """Width of the embeddings."""
    streams: tuple[str, ...] = ("image", "text")
    """Streams whose embeddings should become indistinguishable."""
    hidden: tuple[int, ...] = (128,)
    """Widths of the classifier's hidden layers."""
    strength: float = 1.0
    """Scale of the reversed gradient: how much the encoders hide."""
    matching: float = 0.0
    """Weight of the squared distance between the means of the streams' embeddings; 0: they are not matched."""

    def __post_init__(self) -> None:
        require(self, dim=COUNT, hidden=COUNT, strength=NOT_NEGATIVE, matching=NOT_NEGATIVE)
        _check_streams(self.streams)

    @property
    def needs(self) -> Needs:
        return Needs(embeddings=self.streams)

    def build(self) -> ModalityAdversary:
        return ModalityAdversary(self)


def _check_streams(streams: Sequence[str]) -> None:
    if len(set(streams)) != max(len(streams), 2):
        raise ValueError(f"streams are {tuple(streams)}, expected two or more different ones")
