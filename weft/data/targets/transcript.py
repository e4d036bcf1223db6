"""Transcripts: the units (characters, subwords or words) of speech, learned from the training rows."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from weft.core.config import Config
from weft.core.errors import WeftError, brief
from weft.core.interfaces import Target
from weft.core.ranges import COUNT, require
from weft.core.text import normalised
from weft.data.targets import NO_CLASS
from weft.modalities.tokenization import SPECIAL, Tokens, train_bpe

BLANK = 0
"""The blank of connectionist temporal classification."""


class Transcript:
    """A text -> the ids of its units (B, L) int64, padded with NO_CLASS; BLANK is never among them.

    The target of silence is BLANK alone: every time step is blank. A row of only NO_CLASS has no transcript to learn.
    Units that no training row has are left out of the target; metrics compare texts and count them as errors.
    """

    def __init__(self, config: "TranscriptConfig") -> None:
        self.config = config
        self.column = config.column
        self.units: tuple[str, ...] = ()
        self._places: dict[str, int] = {}
        self._tokens: Tokens | None = None

    def text(self, raw: Any) -> str:
        """Returns the normalised transcript; of a column of captions, its only one.

        Raises WeftError for anything else.
        """
        if isinstance(raw, list | tuple) and len(raw) == 1:
            raw = raw[0]
        if not isinstance(raw, str):
            raise WeftError(f"'{self.column}' is {brief(raw)}, expected a transcript")
        text = normalised(raw)
        if text == self.config.silence:
            return ""
        return text.lower() if self.config.lowercase else text

    def split(self, text: str) -> list[str]:
        """Splits a text into its units."""
        if self._tokens is not None:
            return self._tokens.tokenizer.encode(text, add_special_tokens=False).tokens
        return text.split() if self.config.unit == "word" else list(text)

    def join(self, ids: Sequence[int]) -> str:
        """Returns the text of ids, without BLANK."""
        units = [self.units[one - 1] for one in ids if 0 < one <= len(self.units)]
        if self._tokens is not None:
            tokenizer = self._tokens.tokenizer
            tokens = [tokenizer.token_to_id(unit) for unit in units]
            found: str = tokenizer.decode([token for token in tokens if token is not None])
            return found.strip()
        return (" " if self.config.unit == "word" else "").join(units).strip()

    def encode(self, text: str) -> list[int]:
        """Returns the ids of the known units."""
        return [self._places[unit] for unit in self.split(text) if unit in self._places]

    def unknown(self, text: str) -> list[str]:
        """Returns the units that no training row has, each once."""
        return [unit for unit in dict.fromkeys(self.split(text)) if unit not in self._places]

    @property
    def size(self) -> int:
        """The number of outputs that a decoder needs: the units and BLANK."""
        return len(self.units) + 1

    def read(self, raw: Any) -> list[int]:
        text = self.text(raw)
        return self.encode(text) if text else [BLANK]

    def collate(self, items: Sequence[list[int]]) -> Tensor:
        longest = max((len(item) for item in items), default=0)
        rows = [[*item, *[NO_CLASS] * (longest - len(item))] for item in items]
        return torch.tensor(rows, dtype=torch.int64).view(len(items), longest)

    def fit(self, raws: Iterable[Any]) -> None:
        """Learns the units, sorted by name. Raises WeftError if no row has a transcript."""
        texts, first_error = [], None
        for raw in raws:
            try:
                texts.append(self.text(raw))
            except WeftError as error:
                first_error = first_error or error
        if not any(texts):
            raise first_error or WeftError(f"no training row has a transcript in '{self.column}'")
        if self.config.unit == "subword":
            self._tokens = train_bpe(filter(None, texts), self.config.most + len(SPECIAL), False)
            self._use(_vocabulary(self._tokens))
            return
        counts = Counter(unit for text in texts for unit in self.split(text))
        most = sorted(counts, key=lambda unit: (-counts[unit], unit))[: self.config.most]
        self._use(sorted(most))

    def state(self) -> dict[str, Any]:
        kept: dict[str, Any] = {"units": list(self.units)}
        return kept if self._tokens is None else {**kept, "tokens": self._tokens.to_json()}

    def restore(self, state: Mapping[str, Any]) -> None:
        units = state.get("units")
        if not isinstance(units, list) or not all(isinstance(unit, str) and unit for unit in units):
            raise WeftError(f"is {brief(state)}, expected the units of transcripts")
        if self.config.unit == "subword":
            self._tokens = Tokens.from_json(state.get("tokens", {}))
            if _vocabulary(self._tokens) != units:
                raise WeftError("has a tokenizer whose units differ from the listed units")
        self._use(units)

    def _use(self, units: Sequence[str]) -> None:
        self.units = tuple(units)
        self._places = {unit: place for place, unit in enumerate(units, start=BLANK + 1)}


def _vocabulary(tokens: Tokens) -> list[str]:
    """Returns the tokens in the order of their ids, without the special ones."""
    vocabulary = tokens.tokenizer.get_vocab()
    special = set(tokens.special.values())
    return [
        unit
        for unit in sorted(vocabulary, key=vocabulary.__getitem__)
        if vocabulary[unit] not in special
    ]


@dataclass(frozen=True)
class TranscriptConfig(Config[Target]):
    """A transcript to recognise."""

    column: str = "text"
    """The column that holds the transcript."""
    unit: Literal["character", "word", "subword"] = "character"
    """The units to recognise. Characters can spell words that no training row has, and so can subwords: frequent
    parts of words, by byte-pair encoding."""
    lowercase: bool = True
    """If true, convert the transcript to lower case."""
    silence: str = "<silence>"
    """Transcript that means silence, as an empty one does. Tables need it, since an empty cell is a missing value."""
    most: int = 1000
    """Maximum number of learned units, the most frequent ones. Subwords need at least 256, one for each byte."""

    def __post_init__(self) -> None:
        require(self, most=COUNT)

    def build(self) -> Transcript:
        return Transcript(self)
