"""Modality dropout: training rows lose some of their streams, so that the model learns to do without.

Neverova et al. 2015, ModDrop, arXiv:1501.00102, section 4.2.
"""

from collections.abc import Mapping
from typing import Any

import torch

DRAWS = "/modality dropout"
"""Names the random numbers of a row by which it loses streams."""


class ModalityDropout:
    """A loaded row without the streams that it loses; all is drawn from the row's generator."""

    def __init__(self, chances: Mapping[str, float], streams: tuple[str, ...]) -> None:
        """chances: stream -> probability that a row loses it. streams: all, of which a row keeps at least one."""
        self._chances, self._streams = dict(chances), streams

    def __call__(self, values: Mapping[str, Any], generator: torch.Generator) -> dict[str, Any]:
        """Every stream is drawn for by itself; where a row would lose all that it has, it keeps one at random."""
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
