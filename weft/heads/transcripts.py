"""A transcript of speech, decoded from the units of its tokens."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, cast

import torch
from torch import Tensor

from weft.core.config import Config
from weft.core.errors import WeftError, unknown_name
from weft.core.interfaces import Decoder
from weft.core.needs import Needs
from weft.core.ranges import COUNT, NOT_NEGATIVE, SHARE, require
from weft.data.learned import Learned
from weft.data.targets.transcript import BLANK, Transcript
from weft.decoders.autoregressive import AutoregressiveDecoder
from weft.decoders.autoregressive import Part as Writer
from weft.decoders.ctc import aligned, greedy, prefix_beam, text_costs
from weft.decoders.joint import JointDecoder, JointDecoderConfig, joint_beam
from weft.heads.output import Output, Part, Scores, Values, require_outputs
from weft.heads.texts import TextValues

Span = tuple[float, float]
"""Start and end of a word in its recording, as shares of its length."""


@dataclass(frozen=True)
class TranscriptValues(TextValues):
    """N transcripts, and the time of each word in its recording, by CTC alignment.

    weights: for each word, stream -> its mean weight over the tokens of the word; empty if the fusion gives none.
    """

    spans: tuple[tuple[Span, ...], ...] = ()
    weights: tuple[tuple[Mapping[str, float], ...], ...] = ()

    def take(self, rows: Sequence[int]) -> "TranscriptValues":
        found = super().take(rows)
        spans = tuple(self.spans[row] for row in rows)
        weights = tuple(self.weights[row] for row in rows if self.weights)
        return TranscriptValues(found.texts, found.probabilities, spans, weights)

    @classmethod
    def join(cls, parts: Sequence[TextValues]) -> "TranscriptValues":
        found = TextValues.join(parts)
        known = [part for part in parts if isinstance(part, TranscriptValues)]
        spans = tuple(spans for part in known for spans in part.spans)
        weights = tuple(weights for part in known for weights in part.weights)
        return cls(found.texts, found.probabilities, spans, weights)


@dataclass(frozen=True)
class TranscriptOutput(Output):
    """A transcript: its units at each token, with blanks between them."""

    does: ClassVar[str] = "writes transcripts"
    target: str = "transcript"
    """Target that defines the units."""
    search: Literal["greedy", "beam", "joint"] = "greedy"
    """greedy: the most probable unit at each token; beam: the most probable text of a search with `beams`; joint: the
    same under CTC and attention, with a `JointDecoder`."""
    beams: int = 8
    """Number of hypotheses of the beam searches."""
    ctc_weight: float = 0.3
    """With joint: weight of CTC's log-probability; the attention decoder has the rest."""
    blank_penalty: float = 0.0
    """Penalty subtracted from the blank's log-probability at each token. CTC is more certain of blanks than of words,
    so it drops uncertain words. A higher penalty drops fewer words and inserts more."""

    def __post_init__(self) -> None:
        require(self, beams=COUNT, ctc_weight=SHARE, blank_penalty=NOT_NEGATIVE)

    @property
    def needs(self) -> Needs:
        return Needs(targets=(self.target,))

    def transcript(self, learned: Learned) -> Transcript:
        """The target. Raises WeftError if it is not a transcript."""
        if self.target not in learned.targets:
            raise unknown_name("target", self.target, learned.targets)
        target = learned.targets[self.target]
        if not isinstance(target, Transcript):
            raise WeftError(
                f"data.targets.{self.target} is a {type(target).__name__}, expected a Transcript"
            )
        return target

    def check(self, decoder: Config[Decoder], learned: Learned, where: str) -> None:
        size = self.transcript(learned).size
        of = f"the units of data.targets.{self.target} and the blank"
        require_outputs(decoder, size, of, where)
        if self.search == "joint" and not isinstance(decoder, JointDecoderConfig):
            raise WeftError(
                f"{where}.output.search is joint, its decoder a {type(decoder).__name__}, expected a JointDecoderConfig"
            )

    def read(self, parts: Sequence[Part]) -> TextValues:
        """Averages the parts' probabilities at each token."""
        target = self.transcript(parts[0].learned)
        for part in parts[1:]:
            if self.transcript(part.learned).units != target.units:
                raise WeftError(
                    "the models have different units of transcripts, expected the same ones"
                )
        chances = torch.stack([self._log_probs(part).exp() for part in parts]).mean(0)
        log_probs_BTV = chances.clamp_min(1e-30).log().detach().cpu()
        lengths_B = parts[0].context.mask.sum(1).cpu()
        found = [
            self._searched(log_probs_BTV[row, :length], parts, row)
            for row, length in enumerate(lengths_B.tolist())
        ]
        costs_B = _costs(log_probs_BTV, lengths_B, found)
        places = [
            _word_places(target, ids, log_probs_BTV[row, :length])
            for row, (ids, length) in enumerate(zip(found, lengths_B.tolist(), strict=True))
        ]
        spans = tuple(
            tuple((first / length, end / length) for first, end in of_row)
            for of_row, length in zip(places, lengths_B.tolist(), strict=True)
        )
        texts, chances_B = tuple(map(target.join, found)), (-costs_B).exp()
        return TranscriptValues(texts, chances_B, spans, _word_weights(parts, places))

    def scores(self, part: Part, said: Values) -> Scores:
        """Returns the mean log-probability of a unit in each text."""
        target = self.transcript(part.learned)
        ids = [target.encode(said.said(row)) for row in range(len(said))]
        log_probs_BTV = self._log_probs(part)
        costs_B = _costs(log_probs_BTV, part.context.mask.sum(1), ids)
        counts_B = torch.tensor([max(1, len(one)) for one in ids], device=costs_B.device)
        mean_B = -costs_B / counts_B + 0 * log_probs_BTV.sum((1, 2))
        return Scores(mean_B, mean_B)

    def score_text(self, value: float) -> str:
        return f"mean log-probability of a unit {value:.2f}"

    @property
    def attends(self) -> bool:
        return True

    def _log_probs(self, part: Part) -> Tensor:
        """(B, T, V) log-probabilities of the known units."""
        size = self.transcript(part.learned).size
        logits_BTV: Tensor = part.decoder(part.context)[..., :size]
        return logits_BTV.float().log_softmax(2)

    def _searched(self, log_probs_TV: Tensor, parts: Sequence[Part], row: int) -> list[int]:
        log_probs_TV = log_probs_TV.clone()
        log_probs_TV[:, BLANK] -= self.blank_penalty
        if self.search == "greedy":
            return greedy(log_probs_TV)
        if self.search == "beam":
            return prefix_beam(log_probs_TV, self.beams)
        writers = [_attention(part, row) for part in parts]
        return joint_beam(log_probs_TV, writers, self.beams, self.ctc_weight)


def _word_places(
    target: Transcript, ids: Sequence[int], log_probs_TV: Tensor
) -> list[tuple[int, int]]:
    """Returns the range of tokens of each word, end exclusive. Empty if no alignment is possible."""
    places = aligned(log_probs_TV, ids)
    found: list[tuple[int, int]] = []
    for number, (first, last) in enumerate(places or ()):
        if not target.join(ids[number : number + 1]):
            continue  # a blank between words
        words = len(target.join(ids[: number + 1]).split())
        begin = found[words - 1][0] if words <= len(found) else first
        found = [*found[: words - 1], (begin, last + 1)]
    return found


def _word_weights(
    parts: Sequence[Part], places: Sequence[Sequence[tuple[int, int]]]
) -> tuple[tuple[dict[str, float], ...], ...]:
    """For each word, returns stream -> its mean weight over the word's tokens and the parts, if all parts weight the
    same streams; else empty."""
    streams = parts[0].weights.keys()
    if not streams or any(part.weights.keys() != streams for part in parts):
        return ()
    means = {
        stream: torch.stack([part.weights[stream].float() for part in parts]).mean(0).cpu()
        for stream in streams
    }
    return tuple(
        tuple(
            {stream: float(mean_BT[row, first:end].mean()) for stream, mean_BT in means.items()}
            for first, end in of_row
        )
        for row, of_row in enumerate(places)
    )


def _attention(part: Part, row: int) -> Writer:
    """Returns the attention decoder and its context of one row."""
    decoder = cast(JointDecoder, part.decoder).attention
    assert isinstance(decoder, AutoregressiveDecoder)
    return decoder, part.context.rows(slice(row, row + 1))


def _costs(log_probs_BTV: Tensor, lengths_B: Tensor, ids: Sequence[Sequence[int]]) -> Tensor:
    """(B,) negative log-probability of each text."""
    longest = max((len(one) for one in ids), default=0)
    device = log_probs_BTV.device
    padded = torch.tensor(
        [[*one, *[0] * (longest - len(one))] for one in ids], dtype=torch.int64, device=device
    ).view(len(ids), longest)
    counts_B = torch.tensor([len(one) for one in ids], device=device)
    return text_costs(log_probs_BTV, lengths_B, padded, counts_B)
