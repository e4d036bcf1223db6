"""Tables of dialogs, with one row for each dialog or each turn. They become one row a turn, with the turns before it."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from weft.core.errors import DataError
from weft.core.missing import is_missing
from weft.data.formats._columns import IMAGE_COLUMNS
from weft.data.formats._rows import OnError
from weft.data.formats._turns import ANSWER, QUESTION, is_dialog, listed, pairs, turn_of, turns_in

DIALOG, ROUND, HISTORY = "dialog", "round", "history"
# fmt: off
NAMES = {
    DIALOG: (
        "dialog", "dialogid", "dialogue", "dialogueid", "conversation", "conversationid", "dialogs", "dialogues",
        "conversations", "messages", "turns", "对话",
    ),
    QUESTION: ("question", "questions", "frage", "问题"),
    ANSWER: ("answer", "answers", "antwort", "答案", "回答"),
    ROUND: ("round", "turn", "roundid", "turnid", "roundnumber", "turnnumber", "轮次"),
}
# fmt: on
"""Item -> the names of its column, in lower case and without blanks and underscores."""
Row = tuple[str, dict[str, Any]]
"""(file:line, columns)."""


@dataclass(frozen=True)
class DialogColumns:
    """How a table holds dialogs. names: item -> its column. whole: one row is a dialog, otherwise a turn."""

    names: Mapping[str, str]
    whole: bool

    def row(self, row: Mapping[str, Any], kept: Collection[str]) -> dict[str, Any]:
        """Returns the row with the items' names for their columns. kept: columns that also keep their own name."""
        usual = {column: item for item, column in self.names.items()}
        others = {name: row[name] for name in kept if name in row and name in usual}
        return others | {usual.get(name, name): value for name, value in row.items()}


def dialog_columns(rows: Iterable[Mapping[str, Any]]) -> DialogColumns | None:
    """Returns the columns of the dialogs: lists of turns, lists of questions and answers, or a name of the dialog
    beside a question. None if the table holds no dialogs."""
    for row in rows:
        named = _named(row)
        held = {item: row.get(column) for item, column in named.items()}
        if is_dialog(held.get(DIALOG)):
            return DialogColumns({DIALOG: named[DIALOG]}, whole=True)
        if listed(held.get(QUESTION)) is not None and listed(held.get(ANSWER)) is not None:
            return DialogColumns({name: named[name] for name in (QUESTION, ANSWER)}, whole=True)
        plain = not isinstance(held.get(DIALOG), list | dict)
        if not is_missing(held.get(DIALOG)) and plain and QUESTION in named:
            return DialogColumns(named, whole=False)
    return None


def _named(row: Mapping[str, Any]) -> dict[str, str]:
    """Maps items to the columns of the row that hold them."""
    usual = {re.sub(r"[\W_]+", "", name.lower()): name for name in reversed([*row])}
    found = {
        item: next((usual[n] for n in names if n in usual), None) for item, names in NAMES.items()
    }
    return {item: column for item, column in found.items() if column is not None}


@dataclass
class _Dialog:
    """The turns of a dialog in the order of the file: round, or None; row. picture: the one that it is about."""

    turns: list[tuple[int | None, Row]] = field(default_factory=list)
    picture: Any = None


def turns_of(
    rows: Iterable[Row], columns: DialogColumns, on_error: OnError, kept: Collection[str] = ()
) -> list[Row]:
    """Returns a row for each turn: question, answer, round (from 1), history (the turns before, absent in the first)
    and the dialog's name, if it has one, beside the other columns of its row.

    Only the last turn may lack the answer. If a dialog is one row and cannot be read, the whole dialog goes to
    `on_error`. If each turn is a row, they are ordered by the column of the round, or else as in the file, and only
    the bad turn goes to `on_error`: later ones keep their number, and their history lacks it. kept: columns that also
    keep their own name.
    """
    table = [(source, columns.row(row, kept)) for source, row in rows]
    if columns.whole:
        return _of_whole(table, DIALOG in columns.names, on_error)
    dialogs: dict[str, _Dialog] = defaultdict(_Dialog)
    for source, row in table:
        try:
            if is_missing(row.get(DIALOG)):
                raise DataError(f"column '{columns.names[DIALOG]}' names no dialog", source=source)
            number = _round(row, source) if ROUND in columns.names else None
            _add(dialogs[str(row[DIALOG])], number, source, row)
        except DataError as error:
            on_error(error)
    ordered: dict[str, dict[str, Any]] = {}
    for name, dialog in dialogs.items():
        # Stable: without rounds the turns stay in the order of the file.
        turns = sorted(dialog.turns, key=lambda turn: turn[0] or 0)
        ordered |= _of_rows(name, [row for _, row in turns], on_error)
    return [(source, ordered[source]) for source, _ in table if source in ordered]


def _of_whole(table: Sequence[Row], lists: bool, on_error: OnError) -> list[Row]:
    """Returns the turns of rows that are dialogs. lists: turns lie in the column `dialog`, otherwise in several."""
    found: list[Row] = []
    for source, row in table:
        try:
            opening, turns = (
                turns_in(row.pop(DIALOG, None), source) if lists else pairs(row, source)
            )
        except DataError as error:
            on_error(error)
            continue
        identity = row.get("id")
        said: list[Any] = list(opening)
        for number, turn in enumerate(turns, 1):
            made = {**row, **turn, ROUND: number}
            if not is_missing(identity):
                made |= {DIALOG: str(identity), "id": f"{identity}-{number}"}
            if said:
                made[HISTORY] = list(said)
            found.append((source, made))
            said.append(_said(turn))
    return found


def _of_rows(name: str, rows: Sequence[Row], on_error: OnError) -> dict[str, dict[str, Any]]:
    """Maps the sources of a dialog's rows, which are in order, to the rows of its turns."""
    found: dict[str, dict[str, Any]] = {}
    said: list[dict[str, str]] = []
    for place, (source, row) in enumerate(rows, 1):
        try:
            turn = turn_of(row, place, source, answered=place < len(rows))
        except DataError as error:
            on_error(error)
            continue
        found[source] = {**turn, DIALOG: name, ROUND: place}
        if said:
            found[source][HISTORY] = list(said)
        said.append(_said(turn))
    return found


def _said(turn: Mapping[str, Any]) -> dict[str, str]:
    return {name: turn[name] for name in (QUESTION, ANSWER) if turn.get(name) is not None}


def _round(row: Mapping[str, Any], source: str) -> int:
    try:
        number = float(row[ROUND])
        whole = number % 1 == 0  # False for NaN and infinity, too
    except (KeyError, TypeError, ValueError):
        whole = False
    if not whole:
        raise DataError(
            f"the turn's number is {row.get(ROUND)!r:.60}, expected a whole number", source=source
        )
    return int(number)


def _add(dialog: _Dialog, number: int | None, source: str, row: dict[str, Any]) -> None:
    """Adds a turn. Raises DataError if the dialog has it already, or is about another picture."""
    picture = next(
        (row[n] for n in row if n.lower() in IMAGE_COLUMNS and not is_missing(row[n])), None
    )
    if None not in (picture, dialog.picture) and picture != dialog.picture:
        raise DataError(
            f"dialog '{row[DIALOG]}' is about {dialog.picture!r:.60} and {picture!r:.60}, expected one picture; "
            "dialogs about different pictures need different names",
            source=source,
        )
    same = next(
        (first for n, (first, _) in dialog.turns if number is not None and n == number), None
    )
    if same is not None:
        raise DataError(
            f"dialog '{row[DIALOG]}' has turn {number} already at {same}", source=source
        )
    dialog.picture = dialog.picture if picture is None else picture
    dialog.turns.append((number, (source, row)))
