"""Parses the columns of a table; the same for text cells of CSV, Excel, JSON, parquet and tables in memory."""

import functools
import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from weft.core.errors import DataError, WeftError
from weft.data.formats._columns import is_text_column
from weft.data.formats._find import several
from weft.data.formats._said import ROLES, Said
from weft.data.formats._values import ColumnForm, form_of

log = logging.getLogger("weft.data")


@dataclass(frozen=True)
class Forms:
    """of: column -> how its cells are parsed. notes: column -> remarks for the user. said: the column's name in the
    file -> its form, so that new rows are parsed alike; see `KnownColumns`."""

    of: Mapping[str, ColumnForm] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)
    said: Mapping[str, str] = field(default_factory=dict)


def forms_of(
    columns: Iterable[tuple[str, Sequence[Any]]],
    source: Callable[[int], str],
    said: Said,
    names: Mapping[str, str],
) -> Forms:
    """Determines the forms of all columns.

    columns: name and values of all rows. source: file:line of a row. names: column -> its name in the file.

    Values that cannot be parsed are missing, with one warning. Raises DataError if most of a column's values cannot
    be parsed, or a number has several units.
    """
    of, notes, forms = {}, {}, {}
    for name, values in columns:
        if name in ROLES or all(value is None or several(value) for value in values):
            continue
        in_file = names.get(name, name)
        kind = said.kinds.get(name) or said.kinds.get(in_file)
        kind = kind or ("text" if is_text_column(name) else None)
        try:
            form = form_of(name, values, kind, said.forms.get(in_file, ""))
        except WeftError as error:
            table = re.sub(r":\d+$", "", source(0))
            raise DataError(str(error), source=table) from None
        of[name] = form
        note = form.note
        if form.unreadable:
            bad = form.unreadable
            there = sum(value is not None for value in values)
            told = f"{len(bad):,} of {there:,} values are no {form.kind or form.nearly}s, such as "
            told += f"'{values[bad[0]]:.40}' ({source(bad[0])})"
            if form.kind:
                _warn(f"column '{name}': {told}: they count as missing")
            else:
                note = f"{told}: --columns {form.nearly}={in_file} takes these as missing"
        if note:
            notes[name] = note
        if form.said:
            forms[in_file] = form.said
    return Forms(of, notes, forms)


@functools.cache
def _warn(line: str) -> None:
    """Logs a line once in a process, although each split opens the data separately."""
    log.warning("%s", line)
