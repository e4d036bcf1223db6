"""Generates texts with decoders: greedily, by beam search, or by sampling; batched, with caches.

Several decoders, each with its own context of the same rows, are an ensemble whose probabilities are averaged. Each
method is a sampler (`weft.decoders.sampler`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from weft.core.config import Settings
from weft.core.ranges import COUNT, FINITE, POSITIVE, POSITIVE_SHARE, at_least, require
from weft.decoders._beam import BeamSearch
from weft.decoders._texts import Generated, OneByOne, TextSettings, Vocabulary
from weft.decoders.autoregressive import Part
from weft.decoders.sampler import Sampler, sample

__all__ = ["Generated", "GenerationConfig", "Vocabulary", "generate", "text_sampler"]


@dataclass(frozen=True)
class GenerationConfig(Settings):
    """How texts are generated."""

    method: Literal["greedy", "beam", "sample"] = "greedy"
    """Method: the most probable token each time, the most probable text of a beam search, or random sampling."""
    beams: int = 3
    """With beam: number of hypotheses."""
    length_exponent: float = 0.7
    """With beam: exponent of the length by which the log-probability of a text is divided."""
    temperature: float = 1.0
    """With sample: temperature, which divides the logits."""
    top_k: int | None = None
    """With sample: only this many of the most probable tokens."""
    top_p: float = 1.0
    """With sample: only the most probable tokens that together have this probability (Holtzman et al. 2020, section
    3.1)."""
    max_length: int = 30
    """Maximum tokens of a text, including its end; fewer if a decoder cannot generate as many."""
    min_length: int = 1
    """Minimum tokens of a text, without its end."""
    no_repeat: int = 0
    """No sequence of this many tokens may occur twice in a text; 0 allows all."""

    def __post_init__(self) -> None:
        require(self, beams=COUNT, max_length=COUNT, top_k=COUNT, no_repeat=at_least(0))
        require(self, length_exponent=FINITE, temperature=POSITIVE, top_p=POSITIVE_SHARE)
        if not 0 <= self.min_length < self.max_length:
            raise ValueError(
                f"min_length is {self.min_length}, expected 0 to below max_length, {self.max_length}"
            )


@torch.no_grad()
def generate(
    parts: Sequence[Part],
    vocabulary: Vocabulary,
    config: GenerationConfig,
    *,
    texts: int = 1,
    generator: torch.Generator | None = None,
    uniform_RN: Tensor | None = None,
) -> Generated:
    """Generates texts for every context, in its order; with sampling, `texts` of each.

    parts: one decoder and its context, or several, whose probabilities are averaged. generator: random source for
    `method` sample; by default the global one. uniform_RN: replaces it by numbers in [0, 1), one for each of the N
    tokens of each text.
    """
    return sample(text_sampler(vocabulary, config, texts, generator, uniform_RN), parts)


TextSampler = Sampler[Sequence[Part], Any, Generated]


def text_sampler(
    vocabulary: Vocabulary,
    config: GenerationConfig,
    texts: int = 1,
    generator: torch.Generator | None = None,
    uniform_RN: Tensor | None = None,
) -> TextSampler:
    """Makes the text sampler that the config describes; see `generate`."""
    if config.method != "sample" and texts != 1:
        raise ValueError(f"texts is {texts} with method {config.method}, expected 1: all are equal")
    settings = TextSettings(vocabulary, config.max_length, config.min_length, config.no_repeat)
    if config.method == "beam":
        return BeamSearch(settings, config.beams, config.length_exponent)
    if config.method == "greedy":
        return OneByOne(settings, texts, lambda log_RV, _: log_RV.argmax(1))

    def draw(log_RV: Tensor, place: int) -> Tensor:
        if uniform_RN is None:
            rows, device = len(log_RV), log_RV.device
            drawn_R = torch.rand(rows, generator=generator, dtype=torch.float64, device=device)
        else:
            drawn_R = uniform_RN[:, place].double()
        return _drawn(_shaped(log_RV, config), drawn_R)

    return OneByOne(settings, texts, draw)


def _shaped(log_RV: Tensor, config: GenerationConfig) -> Tensor:
    """Applies temperature, top-k and top-p of the config to the log-probabilities before sampling."""
    log_RV = log_RV / config.temperature
    if config.top_k is not None and config.top_k < log_RV.shape[1]:
        least_R1 = log_RV.topk(config.top_k, dim=1).values[:, -1:]
        log_RV = log_RV.masked_fill(log_RV < least_R1, -torch.inf)
    if config.top_p < 1:
        sorted_RV, order_RV = log_RV.softmax(1).sort(dim=1, descending=True)
        # The probability before a token must be below top_p, so the most probable token always
        # stays.
        beyond_RV = sorted_RV.cumsum(1) - sorted_RV >= config.top_p
        log_RV = log_RV.masked_fill(beyond_RV.scatter(1, order_RV, beyond_RV), -torch.inf)
    return log_RV


def _drawn(log_RV: Tensor, uniform_R: Tensor) -> Tensor:
    """(R,) tokens by the inverse of the cumulative sum, which needs only one random number for each text; multinomial
    draws one for each token."""
    sums_RV = log_RV.double().softmax(1).cumsum(1)
    chosen_R1 = torch.searchsorted(sums_RV, uniform_R[:, None] * sums_RV[:, -1:], right=True)
    return chosen_R1[:, 0]
