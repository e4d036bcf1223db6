"""Sounds of ten seconds that are made when they are asked for, and a model of next to nothing for them."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from weft.core.kinds import Kind
from weft.core.media import Media, expected
from weft.core.records import Features, Field
from weft.core.samples import Sample

RATE, SECONDS = 16_000, 10
MIB_EACH = RATE * SECONDS * 4 / 2**20
WIDTH = 16


class Waveforms(Sequence[Sample]):
    """`count` rows, each with a sound as float32 (S,); nothing of it is kept."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Sample:  # type: ignore[override]
        if not 0 <= index < self._count:
            raise IndexError(index)
        sound = Media.array_of(lambda: np.full(RATE * SECONDS, index % 97, np.float32), "audio")
        return Sample(str(index), str(index), {"audio": sound}, f"made:{index}")


class Waveform:
    """The modality of sounds as they are: (S,) float32."""

    media: Kind = "audio"

    def decode(self, raw: Media) -> Tensor:
        return torch.from_numpy(expected(raw, self.media).array())

    def transform(
        self,
        item: Tensor,
        *,
        train: bool,  # noqa: ARG002
        generator: torch.Generator,  # noqa: ARG002
        view: int = 0,  # noqa: ARG002
    ) -> Tensor:
        return item

    def collate(self, items: Sequence[Tensor]) -> Field:
        return Field(torch.stack(list(items)))


class Strides(nn.Module):
    """(B, S) -> tokens of a tenth of a second; its weights are frozen."""

    dim = WIDTH

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(WIDTH), requires_grad=False)

    def forward(self, field: Field) -> Features:
        return self.trainable(self.frozen(field))

    def frozen(self, field: Field) -> Features:
        means = field.values.reshape(len(field), -1, RATE // 10).mean(2)
        tokens = means[:, :, None] * self.weight
        mask = torch.ones(tokens.shape[:2], dtype=torch.bool)
        return Features(tokens, mask, tokens.mean(1))

    def trainable(self, features: Features) -> Features:
        return features

    def frozen_parameters(self) -> Mapping[str, Tensor]:
        return {"weight": self.weight}
