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
    """Returns the turns of a row with a list of questions and a list of answers.

    The right ones are a list with a number for each question. Candidates and relevances are one list for all
    questions, or a list for each.
    """
    lists: dict[str, list[Any]] = {}
    for name in (QUESTION, ANSWER, CANDIDATES, RELEVANCE, RIGHT):
        found = listed(row.get(name))
        if found is not None:
            lists[name] = found
        elif name in (QUESTION, ANSWER) or not is_missing(row.get(name)):
            raise DataError(f"'{name}' is {row.get(name)!r:.60}, expected a list", source=source)
    count, answers = len(lists[QUESTION]), len(lists[ANSWER])
    if count != answers:
        raise DataError(f"has {count} questions and {answers} answers", source=source)
    for name, found in [*lists.items()][2:]:
        each = name == RIGHT or any(isinstance(value, list) for value in found)
        if each and len(found) != count:
            reason = f"'{name}' has length {len(found)}, expected {count}, one for each question"
            raise DataError(reason, source=source)
        lists[name] = found if each else [found] * count
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
    _read_candidates(found, number, source)
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


def _read_candidates(turn: Turn, number: int, source: str) -> None:
    """Parses the candidates, their relevances and the number of the right one, which also tells a missing answer.

    Raises DataError if they contradict each other.
    """
    options, relevance = listed(turn.get(CANDIDATES)), listed(turn.get(RELEVANCE))
    turn |= {} if options is None else {CANDIDATES: options}
    turn |= {} if relevance is None else {RELEVANCE: relevance}
    reason = ""
    if options is not None and relevance is not None and len(options) != len(relevance):
        reason = f"turn {number} of the dialog has {len(options)} candidates and {len(relevance)} relevances"
    if not is_missing(turn.get(RIGHT)):
        right = turn[RIGHT] = _whole(turn[RIGHT])
        if options == []:
            reason = f"turn {number} of the dialog has 'right' {right!r:.60}, but its list of candidates is empty"
        elif options is not None and right not in range(len(options)):
            reason = f"turn {number} of the dialog has 'right' {right!r:.60}, expected 0 to {len(options) - 1}"
        elif options is not None and is_missing(turn.get(ANSWER)):
            turn[ANSWER] = options[right]
        elif options is not None and _folded(turn[ANSWER]) != _folded(options[right]):
            reason = (
                f"turn {number} of the dialog has the answer {turn[ANSWER]!r:.60}, but candidate {right}, the right "
                f"one, is {options[right]!r:.60}"
            )
    if reason:
        raise DataError(reason, source=source)


def _whole(value: Any) -> Any:
    """A whole number as an int; anything else as it is, but a bool as a text, since it is no number."""
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return int(value) if isinstance(value, str) and value.strip().isdecimal() else value


def _folded(value: Any) -> str:
    return str(value).strip().casefold()
