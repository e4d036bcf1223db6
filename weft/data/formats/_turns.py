"""The turns of one dialog: pairs of question and answer, messages of a chat, or a list of questions beside answers."""

import ast
import json
from collections.abc import Mapping, Sequence
from typing import Any

from weft.core.errors import DataError
from weft.core.missing import is_missing

QUESTION, ANSWER, CANDIDATES, RIGHT, RELEVANCE = (
    *("question", "answer"),
    *("candidates", "right", "relevance"),
)
_USUAL = {"answer_options": CANDIDATES, "gt_index": RIGHT}
"""Keys of a turn in Visual Dialog -> ours."""
_ROLE, _TEXT = ("role", "from"), ("content", "value")
"""Keys of a message: OpenAI's, and ShareGPT's, which LLaVA uses."""
_ASKS, _ANSWERS, _OPENS = ("user", "human"), ("assistant", "gpt", "model", "bot"), ("system",)
_PICTURE = "<image>"
"""The place of the picture in the first message, which carries no words."""
Turn = dict[str, Any]


def listed(value: Any) -> list[Any] | None:
    """Returns a list, or the list that a text holds as JSON or as Python prints it; None for anything else."""
    if isinstance(value, list):
        return value
    if not isinstance(value, str) or not value.lstrip().startswith("["):
        return None
    for read in (json.loads, ast.literal_eval):
        try:
            found = read(value.strip())
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        return found if isinstance(found, list) else None
    return None


def is_dialog(value: Any) -> bool:
    """Whether this is a list of turns or messages."""
    found = listed(value)
    return found is not None and all(isinstance(turn, list | dict) for turn in found)


def turns_in(held: Any, source: str) -> tuple[list[str], list[Turn]]:
    """Returns the texts with which the dialog begins, and its turns: {question, answer} with further keys.

    The last turn may lack the answer. Raises DataError for an empty dialog, or a turn that cannot be read.
    """
    given = listed(held)
    if given is None:
        raise DataError(f"the dialog is {held!r:.60}, expected a list of turns", source=source)
    opening: list[str] = []
    if given and all(isinstance(one, dict) and _key(one, _ROLE) is not None for one in given):
        opening, given = _of_messages(given, source)
    if not given:
        raise DataError("the dialog is empty, expected one turn or more", source=source)
    turns = [turn_of(turn, n, source, answered=n < len(given)) for n, turn in enumerate(given, 1)]
    return opening, turns


def pairs(row: Mapping[str, Any], source: str) -> tuple[list[str], list[Turn]]:
    """Returns the turns of a row with a list of questions and a list of answers. Lists of candidates, relevances and
    right ones with one value for each question belong to the turns, too."""
    lists = {name: listed(row.get(name)) or [] for name in (QUESTION, ANSWER)}
    asked, answered = lists.values()
    if len(asked) != len(answered):
        raise DataError(f"has {len(asked)} questions and {len(answered)} answers", source=source)
    for name in (CANDIDATES, RELEVANCE, RIGHT):
        found = listed(row.get(name))
        each = found is not None and (name == RIGHT or all(isinstance(v, list) for v in found))
        if found is not None and each and len(found) == len(asked):
            lists[name] = found
    turns = [dict(zip(lists, values, strict=True)) for values in zip(*lists.values(), strict=True)]
    return turns_in(turns, source)


def _of_messages(messages: Sequence[Mapping[str, Any]], source: str) -> tuple[list[str], list[Any]]:
    """Returns the texts before the first question, and the turns of a chat."""
    opening: list[str] = []
    turns: list[Any] = []
    asked: str | None = None
    for number, message in enumerate(messages, 1):
        role, text = str(_key(message, _ROLE)).lower(), _words(_key(message, _TEXT))
        if role in _OPENS and not turns and asked is None:
            opening.append(text)
        elif role in _ASKS and asked is None:
            asked = text
        elif role in _ANSWERS and asked is not None:
            turns.append({QUESTION: asked, ANSWER: text})
            asked = None
        else:
            expected = _ASKS[0] if asked is None else _ANSWERS[0]
            reason = f"message {number} of the dialog is by '{role:.40}', expected '{expected}'"
            raise DataError(reason, source=source)
    return opening, turns if asked is None else [*turns, {QUESTION: asked}]


def _words(content: Any) -> str:
    """Returns the text of a message, which may be a list of parts."""
    parts = content if isinstance(content, list) else [content]
    texts = [part.get("text") if isinstance(part, dict) else part for part in parts]
    return " ".join(t.replace(_PICTURE, "").strip() for t in texts if isinstance(t, str))


def _key(held: Mapping[Any, Any], names: Sequence[str]) -> Any:
    return next((held[name] for name in names if name in held), None)


def turn_of(turn: Any, number: int, source: str, *, answered: bool) -> Turn:
    """Returns {question, answer} with further keys, from a dict with these keys or a list of both.

    answered: the turn must have an answer. Raises DataError for a turn that cannot be read.
    """
    short = isinstance(turn, list) and len(turn) <= 2
    held: Any = dict(zip((QUESTION, ANSWER), turn, strict=False)) if short else turn
    if not isinstance(held, dict):
        raise DataError(
            f"turn {number} of the dialog is {turn!r:.60}, expected a question and its answer",
            source=source,
        )
    found: Turn = {_USUAL.get(str(name), str(name)): value for name, value in held.items()}
    for name in (CANDIDATES, RELEVANCE):
        found |= {} if (values := listed(found.get(name))) is None else {name: values}
    right, options = found.get(RIGHT), listed(found.get(CANDIDATES)) or []
    if isinstance(right, str) and right.strip().isdecimal():
        found[RIGHT] = right = int(right)
    if is_missing(found.get(ANSWER)) and isinstance(right, int) and 0 <= right < len(options):
        found[ANSWER] = options[right]
    for name in (QUESTION, ANSWER):
        value = found.get(name)
        if isinstance(value, list | dict) or is_missing(value) or not str(value).strip():
            if name == ANSWER and not answered and not isinstance(value, list | dict):
                found.pop(ANSWER, None)
                continue
            reason = f"turn {number} of the dialog has no {name}: {turn!r:.60}"
            raise DataError(reason, source=source)
        found[name] = str(value).strip()
    return found
