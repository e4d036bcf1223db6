"""Log-probabilities of units, and the probabilities of texts by counting every alignment."""

import itertools
import math

import torch

from weft.decoders.ctc import BLANK


def chances(places: int = 4, units: int = 3, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(places, units, generator=generator).mul(2).log_softmax(1)


def collapsed(path: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(unit for unit, _ in itertools.groupby(path) if unit != BLANK)


def by_hand(log_probs_TV: torch.Tensor) -> dict[tuple[int, ...], float]:
    """Text -> the sum of the probabilities of all its alignments."""
    places, units = log_probs_TV.shape
    found: dict[tuple[int, ...], float] = {}
    for path in itertools.product(range(units), repeat=places):
        chance = math.exp(sum(float(log_probs_TV[t, unit]) for t, unit in enumerate(path)))
        found[collapsed(path)] = found.get(collapsed(path), 0.0) + chance
    return found
