"""Features of a stream's values, real or drawn, by an encoder that is no part of the model."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from weft.core.interfaces import Encoder
from weft.core.records import Field
from weft.data.formats import Dataset
from weft.inference.config import InferenceConfig
from weft.inference.member import Member
from weft.inference.true_values import true_values

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class RowFeatures:
    """Rows of a data set by their numbers, and their (N, D) features. kept: row -> its value (1, ...), of some rows."""

    dataset: Dataset
    rows: list[int]
    features: Floats
    kept: Mapping[int, Field]

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True)
class ValueFeatures:
    """An encoder in evaluation mode, and how it is run."""

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
        """Of these rows, as far as they have the stream, read as the member reads it. kept: rows whose values are kept."""
        values: dict[int, Field] = {}
        numbers: list[int] = []
        found: list[Floats] = []
        for places, field in true_values(member, dataset, rows, stream, self.config):
            numbers += places
            found.append(self.of_field(field))
            for place, row in enumerate(places):
                if row in kept:
                    values[row] = field.take(torch.tensor([place]))
        features = np.concatenate(found or [np.zeros((0, 1))])
        return RowFeatures(dataset, numbers, features, values)
