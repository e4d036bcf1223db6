"""Features of a stream's values, real or drawn, by an encoder that is no part of the model."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from weft.core.interfaces import Encoder
from weft.core.records import Field
from weft.data.columns import ModalitySource
from weft.data.formats import Dataset
from weft.inference.config import InferenceConfig
from weft.inference.member import Member
from weft.inference.rows import Reading, Selection, read_rows

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class RowFeatures:
    """Rows of a data set by their numbers, and their (N, D) features."""

    dataset: Dataset
    rows: list[int]
    features: Floats

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
        self, member: Member, dataset: Dataset, rows: Sequence[int], stream: str
    ) -> RowFeatures:
        """Of these rows, as far as they have the stream, read as the member reads it."""
        source = ModalitySource(dataset, stream, member.modalities[stream], optional=True)
        reading = Reading({stream: source})
        numbers: list[int] = []
        found: list[Floats] = []
        selection = Selection(rows=[[row] for row in rows])
        for read in read_rows([reading], dataset, self.config, selection, what="real values"):
            value = read.batches[0].inputs.get(stream)
            if not isinstance(value, Field):
                continue
            kept = torch.arange(len(value))
            if value.present is not None:
                kept = value.present.nonzero()[:, 0]
            numbers += [read.numbers[place] for place in kept.tolist()]
            found.append(self.of_field(value.take(kept)))
        features = np.concatenate([one for one in found if len(one)] or [np.zeros((0, 1))])
        return RowFeatures(dataset, numbers, features)
