"""Embeddings of several streams that attract each other where their rows belong together.

All streams' embeddings lie in one set, and those of a kind are positives of each other, across streams and within
one (supervised contrastive loss: Khosla et al. 2020, arXiv:2004.11362, equation 2).
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.distributed import gather, mean_of_all, rows_before
from weft.core.interfaces import EncodedStreams, Objective, Reader
from weft.core.needs import Needs
from weft.core.records import Batch, Loss
from weft.data.targets import NO_CLASS
from weft.objectives.temperature import TemperatureConfig


class Attraction(nn.Module):
    """The mean over embeddings of -log softmax of their positives, among all other embeddings of all ranks.

    An embedding without a positive is only a negative of others. A row has one embedding for each stream that it
    has.
    """

    def __init__(
        self, streams: tuple[str, ...], temperature: TemperatureConfig, target: str | None = None
    ) -> None:
        """target: a class; rows of the same class attract each other. None: rows that match do."""
        super().__init__()
        self._streams, self._target = streams, target
        self.temperature = temperature.build()

    def forward(self, model: Reader, batch: Batch, streams: EncodedStreams) -> Loss:  # noqa: ARG002
        own_NE, keys_N = self._embeddings(batch, streams)
        before = rows_before(len(own_NE), own_NE.device)
        every_AE, keys_A = gather(own_NE), gather(keys_N)
        itself_N = torch.arange(len(own_NE), device=own_NE.device) + before
        itself_NA = itself_N[:, None] == torch.arange(len(every_AE), device=own_NE.device)
        positives_NA = (keys_N[:, None] == keys_A[None]) & ~itself_NA
        row_R = positives_NA.any(1).nonzero()[:, 0]
        positives_RA = positives_NA[row_R]
        scale = self.temperature()
        # Autocast would round the operands of the product to 8 bits of mantissa.
        with torch.autocast(own_NE.device.type, enabled=False):
            logits_RA = scale * (own_NE[row_R] @ every_AE.T)
        if not len(row_R):  # nothing to reduce over
            none_R = logits_RA.sum(1)
            return self._loss(none_R, none_R, scale)
        logits_RA = logits_RA.masked_fill(itself_NA[row_R], -torch.inf)
        right_R = logits_RA.masked_fill(~positives_RA, 0).sum(1) / positives_RA.sum(1)
        nearest_R1 = logits_RA.argmax(1, keepdim=True)
        hits_R = positives_RA.gather(1, nearest_R1)[:, 0].float()
        return self._loss(logits_RA.logsumexp(1) - right_R, hits_R, scale)

    def _loss(self, costs_R: Tensor, hits_R: Tensor, scale: Tensor) -> Loss:
        accuracy = mean_of_all(hits_R.detach())
        return Loss(mean_of_all(costs_R), {"temperature": 1 / scale.detach(), "accuracy": accuracy})

    def _embeddings(self, batch: Batch, streams: EncodedStreams) -> tuple[Tensor, Tensor]:
        """(N, E) of every stream of every row that has it, and (N,) the key of what attracts each other."""
        keys_B = batch.match_keys if self._target is None else batch.targets[self._target]
        known_B = torch.ones_like(keys_B, dtype=torch.bool)
        if self._target is not None:
            if keys_B.ndim != 1 or keys_B.is_floating_point():
                raise ValueError(
                    f"target '{self._target}' is {keys_B.dtype} {tuple(keys_B.shape)}, expected one class a row"
                )
            known_B = keys_B != NO_CLASS
        vectors, keys = [], []
        for stream in self._streams:
            there_B = batch.present((stream,))
            index_N = (known_B if there_B is None else known_B & there_B).nonzero()[:, 0]
            vectors.append(streams.embedding(stream).float()[index_N])
            keys.append(keys_B[index_N])
        return torch.cat(vectors), torch.cat(keys)


@dataclass(frozen=True)
class ModalityInvariantConfig(Config[Objective]):
    """Modality-invariant contrast: all streams of a row are positives (full graph of views: Tian et al. 2019, arXiv:1906.05849, section 3.2)."""

    streams: tuple[str, ...] = ("image", "text")
    """The streams, each with a projection to one width."""
    temperature: TemperatureConfig = field(default_factory=TemperatureConfig)

    def __post_init__(self) -> None:
        check_streams(self.streams, 2)

    @property
    def needs(self) -> Needs:
        return Needs(embeddings=self.streams)

    def build(self) -> Attraction:
        return Attraction(self.streams, self.temperature)


@dataclass(frozen=True)
class LabelAlignmentConfig(Config[Objective]):
    """Contrast by labels: rows of one class are positives in all streams (UniCL: Yang et al. 2022, arXiv:2204.03610)."""

    target: str
    """A target of one class a row; rows without one take no part."""
    streams: tuple[str, ...] = ("image", "text")
    """The streams, each with a projection to one width; one is enough."""
    temperature: TemperatureConfig = field(default_factory=TemperatureConfig)

    def __post_init__(self) -> None:
        check_streams(self.streams, 1)

    @property
    def needs(self) -> Needs:
        return Needs(embeddings=self.streams, targets=(self.target,))

    def build(self) -> Attraction:
        return Attraction(self.streams, self.temperature, self.target)


def check_streams(streams: tuple[str, ...], least: int) -> None:
    """Raises ValueError if a stream is named twice, or if there are too few."""
    if len(set(streams)) != len(streams) or len(streams) < least:
        raise ValueError(f"streams are {streams}, expected {least} or more different ones")
