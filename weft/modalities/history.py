"""The history of a dialog before a question: turns, or one text -> token ids -> Field (B, T) with its mask."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from weft.core.display import Display
from weft.core.errors import WeftError
from weft.core.media import Alternatives
from weft.modalities.text import Text, TextConfig

SEPARATOR = " | "
"""Separator between two turns."""
Turn = Mapping[str, str] | str
"""{"question": ..., "answer": ...}, or a text such as the caption that a dialog begins with."""


class History(Text):
    """The modality of a dialog's history: a list of turns, the oldest first, or a text.

    The model reads the newest turn first, so that a word's position shows how long ago it was said. Long histories
    lose their oldest turns. The row of a first turn has no history: it lacks the stream.
    """

    def decode(self, raw: str | Alternatives | Sequence[Turn]) -> str | list[str]:
        """Returns the turns as one text. Raises WeftError for an empty list, or an invalid turn."""
        if isinstance(raw, str | Alternatives) or not isinstance(raw, list | tuple):
            return super().decode(raw)  # type: ignore[arg-type]
        return super().decode(said_before(raw))

    def show(self, raw: Any) -> Display:
        """Displays the history as the model reads it."""
        return super().show(raw if isinstance(raw, str | Alternatives) else said_before(raw))


@dataclass(frozen=True)
class HistoryConfig(TextConfig):
    """Turns the history of a dialog into token ids."""

    max_length: int = 128
    """Maximum tokens, including the special ones. Longer histories lose their oldest turns."""

    def build(self) -> History:
        return History(self)


def said_before(turns: Sequence[Any]) -> str:
    """Returns the turns as one text, the newest first. Raises WeftError for an empty list, or a turn without a
    question or an answer."""
    if not turns:
        raise WeftError("the history has no turns, expected one or more, or no history")
    said = [_turn(turn, number) for number, turn in enumerate(turns, 1)]
    return SEPARATOR.join(reversed(said))


def _turn(turn: Any, number: int) -> str:
    if isinstance(turn, str):
        return turn.strip()
    asked = turn.get("question") if isinstance(turn, Mapping) else None
    answer = turn.get("answer") if isinstance(turn, Mapping) else None
    if not isinstance(asked, str) or not isinstance(answer, str):
        raise WeftError(
            f"turn {number} of the history is {turn!r:.60}, expected a text or "
            "{question, answer} with a text each"
        )
    return f"{asked.strip()} {answer.strip()}"
