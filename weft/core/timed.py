"""Words with the times at which they are spoken."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from weft.core.documents import parse_json
from weft.core.errors import WeftError, brief


@dataclass(frozen=True)
class TimedWord:
    """A word with its start and end, in seconds of the recording."""

    word: str
    start: float
    end: float


def timed_words(raw: Any) -> list[TimedWord]:
    """The words in a list of objects with word, start and end, or in its JSON text, as in a cell of a table.

    Raises WeftError if they are invalid or not in order.
    """
    found: list[TimedWord] = []
    values = _read(raw) if isinstance(raw, str) else raw
    for value in values if isinstance(values, list | tuple) else [values]:
        word = _timed(value)
        if word is None or (found and word.start < found[-1].start):
            raise WeftError(
                f"has {brief(value)}, expected word, start and end in seconds, in order of time"
            )
        found.append(word)
    return found


def _read(text: str) -> Any:
    """The value of a JSON text; the text itself if it is not JSON."""
    try:
        return parse_json(text, "words")
    except WeftError:
        return text


def _timed(value: Any) -> TimedWord | None:
    if not isinstance(value, Mapping):
        return None
    word, start, end = (value.get(name) for name in ("word", "start", "end"))
    if not (
        isinstance(word, str) and isinstance(start, int | float) and isinstance(end, int | float)
    ):
        return None
    return TimedWord(word, float(start), float(end)) if 0 <= start <= end < math.inf else None
