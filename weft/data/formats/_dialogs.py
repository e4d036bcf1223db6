"""Tables of dialogs, with one row for each dialog or each turn. They become one row a turn, with the turns before it."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from weft.core.errors import DataError
from weft.data.formats._rows import OnError

DIALOG = ("dialog", "dialogue", "对话")
"""Columns that hold the turns of a dialog, or name the dialog of a turn."""
QUESTION, ANSWER, HISTORY, ROUND = "question", "answer", "history", "round"
Row = tuple[str, dict[str, Any]]
"""(file:line, columns)."""


def dialog_column(rows: Iterable[Mapping[str, Any]]) -> str | None:
    """Returns the column of dialogs: lists of turns, or names beside a question and an answer. None if there is none."""
    for row in rows:
        for name in DIALOG:
            turns = row.get(name)
            if isinstance(turns, list) and all(isinstance(turn, list | dict) for turn in turns):
                return name
            if turns is not None and {QUESTION, ANSWER} <= row.keys():
                return name
    return None


def turns_of(rows: Iterable[Row], column: str, on_error: OnError) -> Iterator[Row]:
    """Yields a row for each turn: question, answer, round (from 1), history (the turns before, absent in the first)
    and the dialog's name, beside the other columns of its row.

    If a dialog is one row and has no turns, or a turn without question or answer, the whole dialog goes to
    `on_error`. If each turn is a row, only the bad turn does.
    """
    before: dict[str, list[dict[str, str]]] = defaultdict(list)
    for source, row in rows:
        try:
            held = row.get(column)
            whole = isinstance(held, list)
            named = row.get("id") if whole else held
            name = source if named is None or named == "" else str(named)
            given = held if whole else [row]
            if not given:
                raise DataError(f"column '{column}': the dialog is empty", source=source)
            turns = [_turn(turn, n, source) for n, turn in enumerate(given, 1)]
        except DataError as error:
            on_error(error)
            continue
        said = [] if whole else before[name]
        for turn in turns:
            number = len(said) + 1
            made = {**row, **turn, column: name, ROUND: number}
            if whole and row.get("id") is not None:
                made["id"] = f"{row['id']}-{number}"
            if said:
                made[HISTORY] = list(said)
            yield source, made
            said.append({name: turn[name] for name in (QUESTION, ANSWER)})


def _turn(turn: Any, number: int, source: str) -> dict[str, Any]:
    """Returns {question, answer} with further keys, from a dict with these keys or a list of both."""
    listed = isinstance(turn, list) and len(turn) <= 2
    held = dict(zip((QUESTION, ANSWER), turn, strict=False)) if listed else turn
    if not isinstance(held, dict):
        raise DataError(
            f"turn {number} of the dialog is {turn!r:.60}, expected a question and its answer",
            source=source,
        )
    found = dict(held)
    for name in (QUESTION, ANSWER):
        value = held.get(name)
        if value is None or isinstance(value, list | dict) or not str(value).strip():
            reason = f"turn {number} of the dialog has no {name}: {turn!r:.60}"
            raise DataError(reason, source=source)
        found[name] = str(value).strip()
    return found
