"""Connectionist temporal classification (Graves et al. 2006): unit logits for each time step, and their decoding."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.interfaces import Decoder
from weft.core.ranges import COUNT, SHARE_BELOW_1, require
from weft.core.records import Features, Field

BLANK = 0


class CTCDecoder(nn.Module):
    """Tokens (B, T, D) -> logits (B, T, V) of each token; class 0 is the blank."""

    def __init__(self, config: "CTCDecoderConfig") -> None:
        super().__init__()
        self.dropout = nn.Dropout(config.dropout)
        maps = config.in_dim, config.units
        self.map: nn.Module = nn.Linear(*maps) if config.maps else nn.Identity()

    def forward(self, context: Features, prefix: Field | None = None) -> Tensor:  # noqa: ARG002
        logits: Tensor = self.map(self.dropout(context.tokens))
        return logits


@dataclass(frozen=True)
class CTCDecoderConfig(Config[Decoder]):
    """A linear map of each token to the units of transcripts and the blank."""

    in_dim: int
    """Width of the tokens."""
    units: int
    """Number of units of the transcripts plus one for the blank. A larger number does no harm."""
    dropout: float = 0.0
    """Dropout of the tokens."""
    maps: bool = True
    """If false, the tokens are the logits, as with a fusion that adds the logits of each stream (`InTimeConfig`)."""

    def __post_init__(self) -> None:
        require(self, in_dim=COUNT, units=COUNT, dropout=SHARE_BELOW_1)
        if not self.maps and self.in_dim != self.units:
            raise ValueError(
                f"in_dim is {self.in_dim}, expected {self.units} as units where the decoder does not map"
            )

    @property
    def outputs(self) -> int:
        return self.units

    def build(self) -> CTCDecoder:
        return CTCDecoder(self)


def greedy(log_probs_TV: Tensor) -> list[int]:
    """Returns the most probable unit of each time step, without repetitions and blanks."""
    best_T = log_probs_TV.argmax(1)
    kept_T = best_T != BLANK
    kept_T[1:] &= best_T[1:] != best_T[:-1]
    found: list[int] = best_T[kept_T].tolist()
    return found


def prefix_beam(log_probs_TV: Tensor, beams: int, least: float = -12.0) -> list[int]:
    """Returns the most probable text among `beams` hypotheses (Hannun et al. 2014, arXiv:1408.2873, algorithm 1).

    least: units with a log-probability below it are not tried at that time step.
    """
    empty: tuple[int, ...] = ()
    # Log-probability of each text ending with a blank, and ending with its last unit.
    ending: dict[tuple[int, ...], tuple[float, float]] = {empty: (0.0, -math.inf)}
    for of_place in log_probs_TV.tolist():
        tried = [unit for unit, chance in enumerate(of_place) if chance > least and unit != BLANK]
        following: dict[tuple[int, ...], tuple[float, float]] = {}
        for text, (blank, unit_last) in ending.items():
            total = _sum(blank, unit_last)
            _add(following, text, blank=total + of_place[BLANK])
            if text:
                _add(following, text, unit=unit_last + of_place[text[-1]])
            for unit in tried:
                before = blank if text and text[-1] == unit else total
                if before > -math.inf:
                    _add(following, (*text, unit), unit=before + of_place[unit])
        kept = sorted(following.items(), key=lambda one: (-_sum(*one[1]), one[0]))[:beams]
        ending = dict(kept)
    (best, _), *_ = sorted(ending.items(), key=lambda one: (-_sum(*one[1]), one[0]))
    return list(best)


def aligned(log_probs_TV: Tensor, ids: Sequence[int]) -> list[tuple[int, int]] | None:
    """Returns the first and last time step of each unit in the most probable alignment of the text; None if there is
    none.

    The Viterbi path through the units with a blank before, between and after them.
    """
    states = [BLANK]
    for unit in ids:
        states += [unit, BLANK]
    scores_TS = log_probs_TV.detach().cpu().double().numpy()[:, states]
    if not len(scores_TS):
        return None if ids else []
    skips_S = np.array([i > 1 and s != BLANK and s != states[i - 2] for i, s in enumerate(states)])
    best_S = np.full(len(states), -np.inf)
    best_S[:2] = scores_TS[0, :2]
    steps = []
    for scores_S in scores_TS[1:]:
        moved_3S = np.full((3, len(states)), -np.inf)
        moved_3S[0] = best_S
        moved_3S[1, 1:] = best_S[:-1]
        moved_3S[2, 2:] = np.where(skips_S[2:], best_S[:-2], -np.inf)
        steps.append(moved_3S.argmax(0))
        best_S = moved_3S.max(0) + scores_S
    state = len(states) - 1 - int(len(states) > 1 and best_S[-2] > best_S[-1])
    if best_S[state] == -np.inf:
        return None
    path = [state]
    for moved_S in reversed(steps):
        path.append(path[-1] - int(moved_S[path[-1]]))
    path.reverse()
    places = [[t for t, one in enumerate(path) if one == 2 * n + 1] for n in range(len(ids))]
    return [(found[0], found[-1]) for found in places]


def _add(
    found: dict[tuple[int, ...], tuple[float, float]],
    text: tuple[int, ...],
    *,
    blank: float = -math.inf,
    unit: float = -math.inf,
) -> None:
    before = found.get(text, (-math.inf, -math.inf))
    found[text] = _sum(before[0], blank), _sum(before[1], unit)


def _sum(one: float, other: float) -> float:
    """log(exp(one) + exp(other))"""
    high, low = max(one, other), min(one, other)
    return high if low == -math.inf else high + math.log1p(math.exp(low - high))


def repeats(ids_BL: Tensor) -> Tensor:
    """(B,) number of units equal to the one before them: each needs one more time step, for the blank between them."""
    return ((ids_BL[:, 1:] == ids_BL[:, :-1]) & (ids_BL[:, 1:] > BLANK)).sum(1)


def text_costs(
    log_probs_BTV: Tensor, lengths_B: Tensor, ids_BL: Tensor, counts_B: Tensor
) -> Tensor:
    """(B,) negative log-probability of each text over all its alignments; 0 for a text too long for its time steps.

    log_probs_BTV: of the units at each time step. lengths_B: number of real time steps. ids_BL: the text, with
    counts_B real units.
    """
    if not len(log_probs_BTV):
        return log_probs_BTV.sum((1, 2))
    return torch.nn.functional.ctc_loss(
        log_probs_BTV.transpose(0, 1),
        ids_BL.clamp_min(BLANK),
        lengths_B,
        counts_B,
        blank=BLANK,
        reduction="none",
        zero_infinity=True,
    )
