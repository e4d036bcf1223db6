"""Changes to training rows beyond those of each stream's modality."""

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
    """splicing: combines several rows, or parts of them, before reading. mixing: mixes rows in pairs. dropout:
    removes streams. noise_only: replaces rows by noise. None: no such change."""

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
        """Returns the values of a loaded row after mixing, removal of streams, or replacement by noise.

        generator_of: returns the row's generator of a given name. load: returns the values of the row with a given
        number.
        """
        if self.mixing is not None:
            values = self.mixing(values, generator_of(mixing.DRAWS), load)
        if self.dropout is not None:
            values = self.dropout(values, generator_of(modality_dropout.DRAWS))
        if self.noise_only is not None:
            values = self.noise_only(values, generator_of(noise_only.DRAWS))
        return values
