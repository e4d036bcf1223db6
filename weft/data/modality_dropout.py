"""Modality dropout: training rows lose some of their streams, so that the model learns to work without them.

Neverova et al. 2015, ModDrop, arXiv:1501.00102, section 4.2.
"""

from collections.abc import Mapping
from typing import Any

import torch

DRAWS = "/modality dropout"
"""Names the random numbers of a row that decide which streams it loses."""


class ModalityDropout:
    """Removes streams from a loaded row. All random choices come from the row's generator."""

    def __init__(self, chances: Mapping[str, float], streams: tuple[str, ...]) -> None:
        """chances: stream -> probability that a row loses it. streams: all streams; a row keeps at least one of them."""
        self._chances, self._streams = dict(chances), streams

    def __call__(self, values: Mapping[str, Any], generator: torch.Generator) -> dict[str, Any]:
        """Samples independently for every stream. A row that would lose all its streams keeps one at random."""
        drawn = torch.rand(len(self._chances), generator=generator).tolist()
        kept = int(torch.randint(len(self._streams), (), generator=generator))
        lost = {
            stream
            for (stream, chance), number in zip(self._chances.items(), drawn, strict=True)
            if number < chance
        }
        there = [stream for stream in self._streams if values[stream] is not None]
        if there and lost.issuperset(there):
            lost.discard(there[kept % len(there)])
        return {name: None if name in lost else value for name, value in values.items()}
