"""Features of a stream's values, real or generated, from an encoder that is not part of the model."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from weft.core.interfaces import Encoder
from weft.core.records import Field
from weft.data.formats import Dataset
from weft.inference.config import InferenceConfig
from weft.inference.member import Member
from weft.inference.true_values import true_values

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class RowFeatures:
    """Rows of a data set by their numbers, and their (N, D) features.

    of_mean: (1, D) features of the mean of all values. kept: row -> its value (1, ...), for some rows.
    """

    dataset: Dataset
    rows: list[int]
    features: Floats
    of_mean: Floats
    kept: Mapping[int, Field]

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True)
class ValueFeatures:
    """An encoder in evaluation mode, with its settings."""

    encoder: nn.Module
    config: InferenceConfig
    device: torch.device | str

    @torch.no_grad()
    def of_field(self, field: Field) -> Floats:
        """(N, D) pooled features."""
        size = self.config.batch_size
        parts = [
            cast(Encoder, self.encoder)(field.rows(slice(start, start + size)).to(self.device))
            for start in range(0, len(field), size)
        ]
        pooled = [part.pooled.float().cpu() for part in parts]
        return np.asarray(torch.cat(pooled).numpy(), np.float64) if pooled else np.zeros((0, 1))

    def of_rows(
        self,
        member: Member,
        dataset: Dataset,
        rows: Sequence[int],
        stream: str,
        kept: Collection[int] = (),
    ) -> RowFeatures:
        """Features of these rows, if they have the stream, read as the member reads it. kept: rows whose values are
        kept.
        """
        values: dict[int, Field] = {}
        numbers: list[int] = []
        found: list[Floats] = []
        mean = MeanValue()
        for places, field in true_values(member, dataset, rows, stream, self.config):
            numbers += places
            found.append(self.of_field(field))
            mean.add(field)
            for place, row in enumerate(places):
                if row in kept:
                    values[row] = field.take(torch.tensor([place]))
        features = np.concatenate(found or [np.zeros((0, 1))])
        of_mean = self.of_field(mean.field()) if numbers else features
        return RowFeatures(dataset, numbers, features, of_mean, values)


class MeanValue:
    """The mean of values that arrive in parts: for pictures of each pixel, for sounds of each frame over the sounds
    that are long enough.
    """

    def __init__(self) -> None:
        self._sum = self._count = torch.zeros(())
        self._dtype = torch.float32

    def add(self, field: Field) -> None:
        """Adds values (B, ...), all of one shape except for the frames (B, T, M) of sounds."""
        values, self._dtype = field.values.cpu().double(), field.values.dtype
        there = torch.ones_like(values)
        if field.mask is not None:
            there[~field.mask.cpu()] = 0
        self._sum = _added(self._sum, (values * there).sum(0))
        self._count = _added(self._count, there.sum(0))

    def field(self) -> Field:
        """The mean as a Field (1, ...) in the type of the values; pixels are rounded."""
        mean = (self._sum / self._count.clamp_min(1))[None]
        return Field((mean if self._dtype.is_floating_point else mean.round()).to(self._dtype))


def _added(one: Tensor, other: Tensor) -> Tensor:
    """The sum of both, with the shorter one padded with zeros."""
    if not one.dim():
        return other
    longest = max(len(one), len(other))
    padded = (
        F.pad(part, (0, 0) * (part.dim() - 1) + (0, longest - len(part))) for part in (one, other)
    )
    return torch.stack(list(padded)).sum(0)
