"""The columns of a data set: what each holds, and what the user declared about them."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np

from weft.core.cells import Merge, is_number, merged, number_of, unit_of
from weft.core.errors import DataError, WeftError, unknown_name, unknown_names
from weft.core.language import say
from weft.core.media import Media
from weft.core.missing import is_missing
from weft.core.tables import TableColumn, TextTable
from weft.core.text import counted, folded
from weft.data.column_kinds import CLASS_NAMES, ColumnKind, identity, is_group_name, kind_of_column
from weft.data.formats import MEANINGS, ROLES, Dataset, columns_of

__all__ = [
    "Column",
    "ColumnKind",
    "Schema",
    "infer",
    "labels_of",
    "require_files",
    "target_column",
    "texts_of",
]

PROBED_ROWS = 5000
"""Maximum number of rows whose values are looked at, evenly spread over the data set."""
EXAMPLES = 3
KINDS: tuple[str, ...] = get_args(ColumnKind)


@dataclass(frozen=True)
class Column:
    """A column of the rows' items.

    said: whether the user declared its kind; otherwise `why` gives the reason for the inferred kind. missing,
    distinct: rows without a value and different values, among the probed rows. notes: remarks for the user, such as
    classes that differ only in case. scale: mean and standard deviation of numbers; unit: theirs. without_files: the
    note that the column names files of which none is there, if the user did not declare its kind.
    """

    name: str
    kind: ColumnKind
    said: bool
    why: str
    missing: int
    distinct: int
    examples: tuple[str, ...]
    notes: tuple[str, ...] = ()
    scale: tuple[float, float] | None = None
    unit: str = ""
    without_files: str | None = None


@dataclass(frozen=True)
class Schema:
    """The columns by name.

    group, match, split, id: the columns of the file with these roles, None if there is none. rows: of the data set.
    offered: a column that names persons or cases but is not the group. merge: the differences that two spellings of
    one label may have. read_all: infers a column from all rows; None if `columns` were inferred from all.
    """

    columns: Mapping[str, Column]
    group: str | None
    match: str | None
    split: str | None
    rows: int
    offered: str | None = None
    merge: tuple[Merge, ...] = ()
    id: str | None = None
    read_all: Callable[[str], Column] | None = field(default=None, repr=False, compare=False)

    def of(self, *kinds: ColumnKind) -> tuple[str, ...]:
        """Returns the names of the columns of these kinds, in the order of the table."""
        return tuple(name for name, column in self.columns.items() if column.kind in kinds)

    def __str__(self) -> str:
        """Formats a table that fits the terminal, and lines about groups and unusual columns."""
        return "\n".join([self.table().text(), *map(say, self.lines())])

    def table(self) -> TextTable:
        """Returns one row for each column."""
        return _table(list(self.columns.values()))

    def lines(self) -> list[str]:
        """Returns the lines about groups and splits, and the notes on columns."""
        found = [
            f"{role}: column '{name}'"
            for role, name in (("group", self.group), ("match", self.match), ("split", self.split))
            if name is not None
        ]
        if self.offered is not None:
            found.append(
                f"column '{self.offered}' may say which rows belong together: --columns "
                f"group={self.offered} keeps them in one split"
            )
        notes = [(column.name, note) for column in self.columns.values() for note in column.notes]
        return [*found, *(f"column '{name}': {note}" for name, note in notes)]


def infer(
    dataset: Dataset, said: Mapping[str, str] | None = None, merge: Sequence[Merge] = ()
) -> Schema:
    """Infers the schema of an opened data set from at most PROBED_ROWS of its rows. No picture is read.

    said: the user's declarations, as in `FilesConfig.columns`: a kind or `group`, `match`, `split` -> column, or
    column -> kind. merge: the differences that two spellings of one label may have. An unreadable row is skipped.
    Raises WeftError for a column that no row has.
    """
    said = said or {}
    places = np.linspace(0, len(dataset) - 1, min(len(dataset), PROBED_ROWS)).round().astype(int)
    items = list(_items(dataset, places.tolist()))
    known = columns_of(dataset)
    found = {name: None for row in items for name in row}
    names = {n: None for n in (*known.items, *found) if n != "split"}
    kinds = _kinds_said(said, names)

    def column(name: str, rows: Iterable[Mapping[str, Any]]) -> Column:
        values = [row.get(name) for row in rows]
        found = _column(name, values, kinds.get(name), known.notes.get(name), tuple(merge))
        lacking = None if found.said else known.without_files.get(name)
        return replace(found, without_files=lacking)

    def read_all(name: str) -> Column:
        return column(name, _items(dataset, range(len(dataset))))

    columns = {name: column(name, items) for name in names}
    given = known.meanings
    group, match, split = (said.get(role, given.get(role)) for role in ("group", "match", "split"))
    if split is None and any(not is_missing(row.get("split")) for row in items):
        split = "split"
    offered = [
        name
        for name, one in columns.items()
        if name != group and is_group_name(name) and one.distinct < len(items) - one.missing
    ]
    return Schema(
        columns,
        group,
        match,
        split,
        rows=len(dataset),
        offered=offered[0] if offered and group is None else None,
        merge=tuple(merge),
        id=said.get("id", given.get("id")),
        read_all=read_all if len(dataset) > PROBED_ROWS else None,
    )


def labels_of(schema: Schema) -> tuple[str, ...]:
    """Returns the columns of labels: the categories with a usual name of labels, or else the only category. Questions
    are none."""
    categories = [name for name in schema.of("category") if name not in texts_of(schema)]
    named = tuple(name for name in categories if name.lower() in CLASS_NAMES)
    return named or (tuple(categories) if len(categories) == 1 else ())


def texts_of(schema: Schema) -> tuple[str, ...]:
    """Returns the columns of texts, and those of questions, which are categories if few different ones are asked."""
    asked = (name for name in schema.of("category") if name.lower().startswith("question"))
    return (*schema.of("text"), *asked)


def require_files(schema: Schema, data: Path | str) -> None:
    """Raises DataError if a column names files, none of them exists, and the user did not declare the column."""
    for name, column in schema.columns.items():
        if column.without_files is not None:
            raise DataError(
                f"column '{name}' {column.without_files}; --columns category={name} takes the names as values",
                source=str(data),
            )


def target_column(schema: Schema, name: str) -> Column:
    """Returns the column to predict. If the probed rows have one value or none, it is inferred from all rows.

    Raises WeftError if it does not exist, or its values cannot be learned: none, only one, all different, dates.
    """
    if name not in schema.columns:
        raise unknown_name("column", name, schema.columns)
    column = schema.columns[name]
    if column.distinct <= 1 and schema.read_all is not None:  # others may have rare values
        column = schema.read_all(name)
    reasons = {
        "empty": "no row has a value",
        "constant": f"every row has the same value, {', '.join(column.examples)}",
        "id": "nearly every row has a value of its own, as ids have",
        "date": "it holds dates, which are not predicted; add a column with the days since a first day (a number) or with the month (a category)",
    }
    alike = column.distinct == 1 and column.kind in ("number", "category")
    kind = "constant" if alike else column.kind
    if kind in reasons and (not column.said or kind in ("constant", "date")):
        raise WeftError(
            f"target '{name}' cannot be learned: {reasons[kind]}; if it is a number or a category, "
            f"say so: --columns number={name} or --columns category={name}"
            if kind == "id"
            else f"target '{name}' cannot be learned: {reasons[kind]}"
        )
    return column


def _items(dataset: Dataset, rows: Iterable[int]) -> Iterator[Mapping[str, Any]]:
    """Yields the items of these rows, but for unreadable ones."""
    for row in rows:
        with suppress(DataError):
            yield dataset[row].items


def _kinds_said(said: Mapping[str, str], names: Mapping[str, None]) -> dict[str, ColumnKind]:
    """Maps items to the kinds that the user declared.

    A declared column of pictures or texts is the item `image` or `text`; see `FilesConfig`.
    """
    found: dict[str, Any] = {}
    unknown: list[str] = []
    for key, value in said.items():
        if key in ROLES:
            continue
        kind, column = (key, value) if key in KINDS else (value, key)
        if kind not in KINDS:
            continue
        renamed = key in MEANINGS or column not in names
        name = kind if renamed and kind in names else column
        if name not in names:
            unknown.append(column)
        found[name] = kind
    if unknown:
        raise unknown_names("column", unknown, names)
    return found


def _column(
    name: str,
    values: Sequence[Any],
    said: ColumnKind | None,
    note: str | None,
    merge: tuple[Merge, ...],
) -> Column:
    judged = kind_of_column(name, values)
    present = [value for value in values if not is_missing(value)]
    counts = Counter(identity(value) for value in present)
    first: dict[Any, Any] = {}
    for value in present:
        first.setdefault(identity(value), value)
    column = Column(
        name,
        _kind(said, judged.kind),
        said is not None,
        "set by you" if said else judged.why,
        len(values) - len(present),
        len(counts),
        tuple(_shown(value) for value in list(first.values())[:EXAMPLES]),
    )
    read = [] if note is None else [note]
    if column.kind in ("category", "tags"):
        names = _labels(counts)
        found = merged(names, merge)
        if column.kind == "category" and len(names) > len(found):
            column = replace(column, distinct=column.distinct - len(names) + len(found))
        read += [*_merged_note(names, found), *_alike_note(found)]
    unit = "" if column.kind != "number" else next(filter(None, map(unit_of, present)), "")
    return replace(column, notes=tuple(read), scale=_scale(column.kind, present), unit=unit)


def _kind(said: ColumnKind | None, judged: ColumnKind) -> ColumnKind:
    """Returns the declared kind. A column declared to hold pictures has as many a row as its cells name."""
    return judged if said is None or (said, judged) == ("image", "images") else said


def _scale(kind: ColumnKind, values: Sequence[Any]) -> tuple[float, float] | None:
    """Returns mean and standard deviation, if all values are numbers and not all equal."""
    if kind != "number" or not all(map(is_number, values)):
        return None
    try:
        numbers = np.array([number_of(value) for value in values])
    except WeftError:  # a value is infinite; the reader of that row reports it
        return None
    found = float(numbers.mean()), float(numbers.std())
    return found if np.isfinite(found).all() and found[1] > 0 else None


def _labels(counts: Counter[Any]) -> Counter[str]:
    """Counts the rows of each label that is a string."""
    names: Counter[str] = Counter()
    for value, count in counts.items():
        for each in value if isinstance(value, tuple) else (value,):
            if isinstance(each, str):
                names[each] += count
    return names


def _merged_note(names: Counter[str], found: Counter[str]) -> list[str]:
    """Notes how many labels were merged with another, and in how many rows."""
    gone = names.keys() - found.keys()
    if not gone:
        return []
    rows = sum(names[name] for name in gone)
    labels, of_rows = counted(len(gone), "label"), counted(rows, "row")
    return [f"{labels} of {of_rows} merged with another spelling"]


def _alike_note(names: Counter[str]) -> list[str]:
    """Notes classes that differ only in case, blanks or width."""
    alike: dict[str, list[str]] = {}
    for name in names:
        alike.setdefault(folded(name) or name, []).append(name)
    twice = [sorted(same, key=lambda n: -names[n]) for same in alike.values() if len(same) > 1]
    if not twice:
        return []
    one = " and ".join(f"'{name}' ({names[name]:,})" for name in twice[0])
    more = f", and {len(twice) - 1} more" if len(twice) > 1 else ""
    return [
        f"{one} differ in capitals, blanks or signs alone{more}: write each in one way, or --merge-labels case,blanks"
    ]


def _shown(value: Any) -> str:
    if isinstance(value, Media):
        return value.path.name if value.path is not None else str(value.place).rpartition("/")[2]
    if isinstance(value, list | tuple):
        return ", ".join(_shown(each) for each in value)
    return " ".join(str(value).split())


def _table(columns: Sequence[Column]) -> TextTable:
    cells = [
        (
            *(column.name, say(column.kind) + " *" * column.said),
            *(f"{column.missing:,}", f"{column.distinct:,}", " | ".join(column.examples)),
        )
        for column in columns
    ]
    names = map(say, ("column", "kind", "missing", "different", "examples"))
    heads = [TableColumn(name, right=place in (2, 3)) for place, name in enumerate(names)]
    said = any(column.said for column in columns)
    return TextTable(heads, cells, note=say("* set by you") if said else "")
