"""The start and end of each word of a transcript."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from weft.core.config import Config
from weft.core.errors import WeftError
from weft.core.interfaces import Target
from weft.core.timed import timed_words


class WordTimes:
    """Start and end of each word, in seconds of the recording: a list -> float32 (B, L, 2). Padding is NaN, and so is
    a row that lacks the column."""

    nothing: tuple[tuple[float, float], ...] = ()

    def __init__(self, config: "WordTimesConfig") -> None:
        self.config = config
        self.column = config.column

    def read(self, raw: Any) -> list[tuple[float, float]]:
        """Raises WeftError unless it is a list of objects with word, start and end, in order of time."""
        try:
            return [(word.start, word.end) for word in timed_words(raw)]
        except WeftError as error:
            raise WeftError(f"'{self.column}' {error}") from None

    def collate(self, items: Sequence[Sequence[tuple[float, float]]]) -> Tensor:
        longest = max((len(item) for item in items), default=0)
        found = torch.full((len(items), longest, 2), torch.nan)
        for row, item in zip(found, items, strict=True):
            row[: len(item)] = torch.tensor(item).view(len(item), 2)
        return found

    def fit(self, raws: Iterable[Any]) -> None:
        """Nothing is learned."""

    def state(self) -> dict[str, Any]:
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Nothing to restore."""


@dataclass(frozen=True)
class WordTimesConfig(Config[Target]):
    """The times of each word in a transcript, for an objective that aligns words and sound."""

    column: str = "words"
    """A list of objects with word, start and end, in seconds of the recording, or its JSON text."""

    def build(self) -> WordTimes:
        return WordTimes(self)
