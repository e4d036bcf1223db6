"""What is done to rows of training beside what each modality does to its stream."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from weft.data import mixing, modality_dropout, noise_only
from weft.data.chaining import Chaining
from weft.data.mixing import Mixing
from weft.data.modality_dropout import ModalityDropout
from weft.data.noise_only import NoiseOnly
from weft.data.splicing import Splicing


@dataclass(frozen=True)
class RowChanges:
    """splicing: rows are put together of several, or of parts of them, before they are read. mixing: rows are mixed in pairs.
    dropout: rows lose some of their streams. noise_only: rows become noise. None: not at all."""

    splicing: Splicing | Chaining | None = None
    mixing: Mixing | None = None
    dropout: ModalityDropout | None = None
    noise_only: NoiseOnly | None = None

    def changed(
        self,
        values: dict[str, Any],
        generator_of: Callable[[str], torch.Generator],
        load: Callable[[int], Mapping[str, Any]],
    ) -> dict[str, Any]:
        """The values of a row that was read, mixed, without some streams, or noise.

        generator_of: the row's random numbers of that name. load: the values of a row of that number.
        """
        if self.mixing is not None:
            values = self.mixing(values, generator_of(mixing.DRAWS), load)
        if self.dropout is not None:
            values = self.dropout(values, generator_of(modality_dropout.DRAWS))
        if self.noise_only is not None:
            values = self.noise_only(values, generator_of(noise_only.DRAWS))
        return values
