"""CTC and an attention decoder over the same tokens of a sound, with a search for texts that are probable under both.

Watanabe et al. 2017, Hybrid CTC/Attention Architecture for End-to-End Speech Recognition, sections III and IV.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.interfaces import Decoder
from weft.core.ranges import COUNT, SHARE_BELOW_1, require
from weft.core.records import Features, Field
from weft.decoders.autoregressive import Part
from weft.decoders.ctc import BLANK, CTCDecoderConfig
from weft.decoders.text import TransformerDecoderConfig


class JointDecoder(nn.Module):
    """Tokens (B, T, D) -> logits (B, T, V) of CTC; `attention` generates the same units one after another.

    BLANK, which is no unit, is the start and end token of `attention`.
    """

    def __init__(self, config: "JointDecoderConfig") -> None:
        super().__init__()
        self.ctc = CTCDecoderConfig(config.in_dim, config.units, config.dropout).build()
        self.attention = config.attention().build()

    def forward(self, context: Features, prefix: Field | None = None) -> Tensor:
        logits: Tensor = self.ctc(context, prefix)
        return logits


@dataclass(frozen=True)
class JointDecoderConfig(Config[Decoder]):
    """A map to units and blanks for CTC, and a transformer that attends to the tokens, for joint search."""

    in_dim: int
    """Width of the tokens."""
    units: int
    """Number of units of the transcripts plus one for the blank. A larger number does no harm."""
    dim: int = 128
    """Width of the attention decoder."""
    depth: int = 1
    heads: int = 4
    max_length: int = 64
    """Maximum units of a text in the attention decoder, plus one for its end."""
    dropout: float = 0.1
    """Dropout of the tokens before CTC, and in the attention decoder."""

    def __post_init__(self) -> None:
        require(self, in_dim=COUNT, units=COUNT, max_length=COUNT, dropout=SHARE_BELOW_1)
        self.attention()

    @property
    def outputs(self) -> int:
        return self.units

    def attention(self) -> TransformerDecoderConfig:
        """The attention decoder."""
        return TransformerDecoderConfig(
            self.units,
            self.in_dim,
            dim=self.dim,
            depth=self.depth,
            heads=self.heads,
            max_length=self.max_length,
            dropout=self.dropout,
        )

    def build(self) -> JointDecoder:
        return JointDecoder(self)


class Prefixes(NamedTuple):
    """The CTC state of K texts that may be continued.

    units, blanks: (K, T) log-probability that the first t + 1 time steps give the text and end with its last unit, or
    with a blank. last: (K,) the last unit, BLANK for the empty text.
    """

    units: Tensor
    blanks: Tensor
    last: Tensor

    def take(self, rows_R: Tensor) -> "Prefixes":
        return Prefixes(self.units[rows_R], self.blanks[rows_R], self.last[rows_R])

    def ended(self) -> Tensor:
        """(K,) log-probability of each text as the complete text."""
        return torch.logaddexp(self.units[:, -1], self.blanks[:, -1])


def no_text(log_probs_TV: Tensor) -> Prefixes:
    """Returns the state of the empty text."""
    blank_KT = log_probs_TV[:, BLANK].cumsum(0)[None]
    return Prefixes(
        torch.full_like(blank_KT, -torch.inf), blank_KT, blank_KT.new_full((1,), BLANK).long()
    )


def extended(log_probs_TV: Tensor, texts: Prefixes, chosen_K: Tensor) -> tuple[Tensor, Prefixes]:
    """Extends K texts by one unit each. Returns the log-probability (K,) that a text begins so, and the new CTC
    state.

    Watanabe et al. 2017, algorithm 2.
    """
    said_KT = log_probs_TV[:, chosen_K].T
    before_KT = torch.logaddexp(texts.units, texts.blanks)
    # A blank must separate a unit from the same unit.
    before_KT = torch.where((chosen_K == texts.last)[:, None], texts.blanks, before_KT)
    none_K = torch.full_like(said_KT[:, 0], -torch.inf)
    unit_K = torch.where(texts.last == BLANK, said_KT[:, 0], none_K)
    blank_K = none_K
    units, blanks = [unit_K], [blank_K]
    for place in range(1, said_KT.shape[1]):
        following_K = torch.logaddexp(unit_K, blank_K) + log_probs_TV[place, BLANK]
        unit_K = torch.logaddexp(unit_K, before_KT[:, place - 1]) + said_KT[:, place]
        blank_K = following_K
        units.append(unit_K)
        blanks.append(blank_K)
    begins_KT = torch.cat([units[0][:, None], before_KT[:, :-1] + said_KT[:, 1:]], dim=1)
    made = Prefixes(torch.stack(units, 1), torch.stack(blanks, 1), chosen_K)
    return begins_KT.logsumexp(1), made


@torch.no_grad()
def joint_beam(
    log_probs_TV: Tensor, parts: Sequence[Part], beams: int, ctc_weight: float
) -> list[int]:
    """Returns the text with the highest ctc_weight x log p of CTC + (1 - ctc_weight) x log p of the attention
    decoders.

    parts: for one row; their probabilities are averaged. The probability of a prefix includes all its continuations,
    so the search ends when no unfinished text scores higher than the best finished one.
    """
    places, units = log_probs_TV.shape
    if not places:
        return []
    log_probs_TV = log_probs_TV.double()
    longest = min([places + 1, *(decoder.max_length for decoder, _ in parts)])
    states = [decoder.start(context, 1, longest) for decoder, context in parts]
    heard, texts = no_text(log_probs_TV), [()]
    attended_K = log_probs_TV.new_zeros(1)
    best: tuple[float, tuple[int, ...]] = (-torch.inf, ())
    for _ in range(longest):
        chances = [
            decoder.step(heard.last.to(context.tokens.device), state)[:, :units].double()
            for (decoder, context), state in zip(parts, states, strict=True)
        ]
        chances_KV = torch.stack([one.softmax(1).cpu() for one in chances]).mean(0).log()
        ended_K = _joint(heard.ended(), attended_K + chances_KV[:, BLANK], ctc_weight)
        place = int(ended_K.argmax())
        best = max(best, (float(ended_K[place]), texts[place]), key=lambda one: one[0])
        rows_R = torch.arange(len(texts)).repeat_interleave(units - 1)
        chosen_R = torch.arange(1, units).repeat(len(texts))
        begins_R, longer = extended(log_probs_TV, heard.take(rows_R), chosen_R)
        attended_R = (attended_K[:, None] + chances_KV[:, 1:]).reshape(-1)
        scores_R = _joint(begins_R, attended_R, ctc_weight)
        kept_K = scores_R.argsort(descending=True, stable=True)[:beams]
        kept_K = kept_K[scores_R[kept_K] > best[0]]
        if not len(kept_K):
            break
        heard, attended_K = longer.take(kept_K), attended_R[kept_K]
        rows_K = rows_R[kept_K]
        texts = [
            (*texts[row], unit)
            for row, unit in zip(rows_K.tolist(), heard.last.tolist(), strict=True)
        ]
        states = [
            state.take(rows_K.to(c.tokens.device))
            for (_, c), state in zip(parts, states, strict=True)
        ]
    return list(best[1])


def _joint(heard_K: Tensor, attended_K: Tensor, ctc_weight: float) -> Tensor:
    """The weighted sum. A text that is impossible under CTC stays impossible even with a weight of 0."""
    weighed_K = ctc_weight * heard_K
    return weighed_K.masked_fill(heard_K.isneginf(), -torch.inf) + (1 - ctc_weight) * attended_K
