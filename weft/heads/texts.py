"""A text: a caption, a written answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from weft.core.config import Config
from weft.core.errors import WeftError
from weft.core.interfaces import Decoder, Modality, Positions
from weft.core.needs import Needs
from weft.core.records import Field
from weft.data.learned import Learned
from weft.decoders.autoregressive import AutoregressiveDecoder
from weft.decoders.generation import GenerationConfig, Vocabulary, generate
from weft.heads.output import Output, Part, Scores, Values, require_outputs
from weft.modalities.text import Text

LOGITS_AT_ONCE = 20_000
"""Maximum tokens of candidate texts whose probabilities over the vocabulary are computed at once."""


@dataclass(frozen=True)
class TextValues:
    """N texts. probabilities: (N,) of the whole texts, on the CPU, if known."""

    texts: tuple[str, ...]
    probabilities: Tensor | None = None

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def confidence(self) -> Tensor | None:
        return self.probabilities

    def said(self, row: int) -> str:
        return self.texts[row]

    def best(self, row: int, k: int) -> list[tuple[str, float | None]]:  # noqa: ARG002
        return [(self.texts[row], None)]

    def take(self, rows: Sequence[int]) -> "TextValues":
        chances = None if self.probabilities is None else self.probabilities[list(rows)]
        return TextValues(tuple(self.texts[row] for row in rows), chances)

    @classmethod
    def join(cls, parts: Sequence["TextValues"]) -> "TextValues":
        chances = [part.probabilities for part in parts if part.probabilities is not None]
        texts = tuple(text for part in parts for text in part.texts)
        return cls(texts, torch.cat(chances) if len(chances) == len(parts) else None)


@dataclass(frozen=True)
class TextOutput(Output):
    """Text: tokens of a stream's tokenizer."""

    does: ClassVar[str] = "writes texts"
    stream: str = "text"
    """Stream of the generated texts; it needs no encoder."""
    generation: GenerationConfig = field(default_factory=GenerationConfig)
    """How texts are generated."""

    @property
    def needs(self) -> Needs:
        return Needs(streams=(self.stream,))

    def text(self, learned: Learned) -> Text:
        """The stream's modality. Raises WeftError if it is not a text."""
        return text_modality(learned.modalities, self.stream)

    def check(self, decoder: Config[Decoder], learned: Learned, where: str) -> None:
        text = self.text(learned)
        stream = f"data.streams.{self.stream}"
        require_outputs(decoder, text.vocab_size, f"the tokens of {stream}", where)
        held, least = (
            decoder.max_length if isinstance(decoder, Positions) else 0,
            text.config.max_length,
        )
        if held < least:
            raise WeftError(
                f"{where}.decoder.max_length is {held}, expected at least {least}, that of {stream}"
            )

    def read(self, parts: Sequence[Part]) -> TextValues:
        """Generates jointly: the parts' probabilities are averaged at each token."""
        text = self.text(parts[0].learned)
        for part in parts[1:]:
            if part.learned is not parts[0].learned and (
                self.text(part.learned).state() != text.state()
            ):
                raise WeftError(
                    "the models have different vocabularies, expected the same one in an ensemble"
                )
        device = parts[0].context.tokens.device
        writers = [(_writer(part), part.context) for part in parts]
        found = generate(writers, vocabulary_of(text, device), self.generation)
        chances = found.log_probabilities.detach().cpu().float().exp()
        return TextValues(tuple(text.decode_ids(ids) for ids in found.ids), chances)

    def score_text(self, value: float) -> str:
        return f"mean log-probability of a token {value:.2f}"

    def scores(self, part: Part, said: Values) -> Scores:
        """Returns the mean log-probability of a token in each text."""
        written = self._written(part, [said.said(row) for row in range(len(said))])
        said_RT, real_RT = _log_probabilities(part, written)
        mean_R = said_RT.sum(1) / real_RT.sum(1).clamp_min(1)
        return Scores(mean_R, mean_R)

    def log_probabilities(self, part: Part, texts: Sequence[Sequence[str]]) -> list[Tensor]:
        """Returns the log-probability (C,) of each of C texts for each row, including their ends, on the CPU; C may
        differ between rows."""
        most = max(map(len, texts), default=0)
        found: list[Tensor] = []
        chunk = max(1, LOGITS_AT_ONCE // max(1, most * self.generation.max_length))
        for start in range(0, len(texts), chunk):
            some = texts[start : start + chunk]
            filled = [text for of_row in some for text in (*of_row, *[""] * (most - len(of_row)))]
            rows = torch.arange(start, start + len(some), device=part.context.tokens.device)
            said_RT, _ = _log_probabilities(part.take(rows), self._written(part, filled))
            totals = said_RT.sum(1).view(len(some), most).cpu()
            found += [of_row[: len(one)] for of_row, one in zip(totals, some, strict=True)]
        return found

    def _written(self, part: Part, texts: Sequence[str]) -> Field:
        """The texts as token ids."""
        text = self.text(part.learned)
        ids = [torch.tensor(text.encode(one)) for one in texts]
        return text.collate(ids).to(part.context.tokens.device)

    @property
    def attends(self) -> bool:
        return True


def _log_probabilities(part: Part, written: Field) -> tuple[Tensor, Tensor]:
    """(R, T) the log-probability of each token after the first, zero for padding, and the mask."""
    assert written.mask is not None  # true of every text
    real_RT = written.mask[:, 1:]
    prefix = Field(written.values[:, :-1], real_RT)
    chances_RTV = part.decoder(part.context, prefix).float().log_softmax(dim=2)
    next_RT1 = written.values[:, 1:, None].masked_fill(~real_RT[:, :, None], 0)
    return chances_RTV.gather(2, next_RT1)[:, :, 0].masked_fill(~real_RT, 0), real_RT


CAPTIONS = TextOutput(generation=GenerationConfig(method="beam", max_length=24))
"""Captions of the stream "text", generated by beam search."""


def _writer(part: Part) -> AutoregressiveDecoder:
    if not isinstance(part.decoder, AutoregressiveDecoder):
        raise WeftError(
            f"the decoder is a {type(part.decoder).__name__}, expected one that writes text"
        )
    return part.decoder


def vocabulary_of(text: Text, device: torch.device | str = "cpu") -> Vocabulary:
    """The allowed tokens: all but the special ones."""
    allowed = torch.ones(text.vocab_size, dtype=torch.bool, device=device)
    allowed[list(text.special_ids)] = False
    return Vocabulary(text.cls_id, text.sep_id, allowed)


def text_modality(modalities: Mapping[str, Modality], stream: str) -> Text:
    """Returns the text modality of that stream. Raises WeftError if it is another kind."""
    text = modalities.get(stream)
    if not isinstance(text, Text):
        known = ", ".join(modalities)
        raise WeftError(f"there is no stream of texts '{stream}', the run has: {known}")
    return text
