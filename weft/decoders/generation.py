"""Texts from decoders: greedy, by beam search, or drawn; batched, with caches.

Several decoders, each with its own context of the same rows, are an ensemble whose probabilities are
averaged.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from weft.core.config import Settings
from weft.decoders._beam import beam_search
from weft.decoders._constraints import Constraints
from weft.decoders._ensemble import Ensemble
from weft.decoders.autoregressive import Part


@dataclass(frozen=True)
class GenerationConfig(Settings):
    """How texts are generated."""

    method: Literal["greedy", "beam", "sample"] = "greedy"
    """The likeliest token each time, the likeliest text that a search finds, or one drawn at random."""
    beams: int = 3
    """With beam: texts that are followed at a time."""
    length_exponent: float = 0.7
    """With beam: log-probabilities of whole texts are divided by their length to this power."""
    temperature: float = 1.0
    """With sample: divides the logits."""
    top_k: int | None = None
    """With sample: only so many of the likeliest tokens."""
    top_p: float = 1.0
    """With sample: only the likeliest tokens that together have this probability (Holtzman et al. 2020,
    section 3.1)."""
    max_length: int = 30
    """Most tokens of a text, its end included; fewer where a decoder cannot write as many."""
    min_length: int = 1
    """Fewest tokens of a text, without its end."""
    no_repeat: int = 0
    """No sequence of so many tokens twice in a text; 0 allows all."""

    def __post_init__(self) -> None:
        for name in ("beams", "max_length"):
            if vars(self)[name] < 1:
                raise ValueError(f"{name} is {vars(self)[name]}, expected at least 1")
        if not 0 <= self.min_length < self.max_length:
            raise ValueError(
                f"min_length is {self.min_length}, expected 0 to below max_length, {self.max_length}"
            )
        if self.temperature <= 0 or not 0 < self.top_p <= 1:
            raise ValueError(
                f"temperature is {self.temperature} and top_p {self.top_p}, expected more than 0 "
                "and a share above 0 up to 1"
            )
        if self.no_repeat < 0 or (self.top_k is not None and self.top_k < 1):
            raise ValueError(
                f"no_repeat is {self.no_repeat} and top_k {self.top_k}, expected 0 or more and "
                "1 or more"
            )


@dataclass(frozen=True)
class Vocabulary:
    """The token that begins a text, the one that ends it, and which may stand between.

    allowed: (V,) or (B, V) bool, or None for all; the end is always allowed.
    """

    start: int
    end: int
    allowed: Tensor | None = None


@dataclass(frozen=True)
class Generated:
    """ids: of each text, without its start and end. scores: (R,) log-probabilities, of beam search
    divided by the power of the length."""

    ids: list[list[int]]
    scores: Tensor


@torch.no_grad()
def generate(
    parts: Sequence[Part],
    vocabulary: Vocabulary,
    config: GenerationConfig,
    *,
    texts: int = 1,
    generator: torch.Generator | None = None,
) -> Generated:
    """Texts about every context, in its order; `texts` of each where they are drawn.

    parts: one decoder and its context, or several, whose probabilities are averaged. generator: where `method` is sample, what is drawn from; the global one if not given.
    """
    if config.method != "sample" and texts != 1:
        raise ValueError(f"texts is {texts} with method {config.method}, expected 1: all are equal")
    texts = config.beams if config.method == "beam" else texts
    longest = min([config.max_length, *(decoder.max_length for decoder, _ in parts)])
    ensemble = Ensemble(parts, texts, longest)
    constraints = Constraints(
        vocabulary.allowed,
        vocabulary.end,
        texts=texts,
        min_length=config.min_length,
        no_repeat=config.no_repeat,
    )
    if config.method == "beam":
        ids_BT, scores_B = beam_search(
            ensemble,
            constraints,
            start=vocabulary.start,
            end=vocabulary.end,
            beams=config.beams,
            longest=longest,
            exponent=config.length_exponent,
        )
        return Generated(until_end(ids_BT, vocabulary.end), scores_B)
    choose = _likeliest if config.method == "greedy" else partial(draw, config, generator)
    return one_by_one(ensemble, constraints, vocabulary, longest, choose)


def one_by_one(
    ensemble: Ensemble,
    constraints: Constraints,
    vocabulary: Vocabulary,
    longest: int,
    choose: Callable[[Tensor], Tensor],
) -> Generated:
    """Every text gets the token that `choose` takes of its (R, V) log-probabilities, until all end."""
    rows = ensemble.rows
    said_RT = torch.full((rows, 1), vocabulary.start, device=ensemble.device)
    scores_R = torch.zeros(rows, device=ensemble.device)
    ended_R = torch.zeros(rows, dtype=torch.bool, device=ensemble.device)
    for _ in range(longest):
        log_RV = constraints(ensemble.step(said_RT[:, -1]), said_RT)
        chosen_R = choose(log_RV)
        score_R = log_RV.gather(1, chosen_R[:, None])[:, 0]
        scores_R = torch.where(ended_R, scores_R, scores_R + score_R)
        chosen_R = chosen_R.masked_fill(ended_R, vocabulary.end)
        said_RT = torch.cat([said_RT, chosen_R[:, None]], dim=1)
        ended_R = ended_R | (chosen_R == vocabulary.end)
        if bool(ended_R.all()):
            break
    return Generated(until_end(said_RT[:, 1:], vocabulary.end), scores_R)


def _likeliest(log_RV: Tensor) -> Tensor:
    return log_RV.argmax(1)


def draw(config: GenerationConfig, generator: torch.Generator | None, log_RV: Tensor) -> Tensor:
    """(R,) tokens drawn by their probabilities, as the config shapes them."""
    log_RV = log_RV / config.temperature
    if config.top_k is not None and config.top_k < log_RV.shape[1]:
        least_R1 = log_RV.topk(config.top_k, dim=1).values[:, -1:]
        log_RV = log_RV.masked_fill(log_RV < least_R1, -torch.inf)
    if config.top_p < 1:
        sorted_RV, order_RV = log_RV.softmax(1).sort(dim=1, descending=True)
        # What lies before a token must have less than top_p; so the likeliest always stays.
        beyond_RV = sorted_RV.cumsum(1) - sorted_RV >= config.top_p
        log_RV = log_RV.masked_fill(beyond_RV.scatter(1, order_RV, beyond_RV), -torch.inf)
    # By the inverse of the cumulative sum: one number a text, where multinomial draws one a token.
    sums_RV = log_RV.double().softmax(1).cumsum(1)
    drawn_R1 = torch.rand(
        len(log_RV), 1, generator=generator, dtype=torch.float64, device=log_RV.device
    )
    chosen_R1 = torch.searchsorted(sums_RV, drawn_R1 * sums_RV[:, -1:], right=True)
    return chosen_R1[:, 0]


def until_end(ids_RT: Tensor, end: int) -> list[list[int]]:
    """The tokens of each row before its first end."""
    return [row[: row.index(end)] if end in row else row for row in ids_RT.tolist()]
