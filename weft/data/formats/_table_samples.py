"""Converts the rows of a table to samples."""

import posixpath
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from weft.core.errors import DataError
from weft.core.kinds import Kind, kind_of
from weft.core.media import RECORDINGS, Media
from weft.core.missing import is_missing
from weft.core.samples import Sample
from weft.data.formats._columns import PROBED_ROWS, Columns, cell, numbered, usual_names
from weft.data.formats._dialogs import DIALOG, ROUND, dialog_columns, turns_of
from weft.data.formats._find import Finder, several
from weft.data.formats._forms import Forms, forms_of
from weft.data.formats._parts import PartColumns, cut
from weft.data.formats._rows import OnError, TableRows, UniqueIds
from weft.data.formats._said import NOTHING_SAID, ROLES, Said

RECORDING_FOLDERS = ("audio", "sounds", "recordings", "wavs", "clips", "video", "videos")
"""Folders for sounds and videos beside a table; pictures lie in images/."""
Row = tuple[str, dict[str, Any]]
"""(file:line, columns)."""


def table_samples(
    rows: Iterable[Row],
    folder: Path,
    on_error: OnError,
    *,
    said: Said = NOTHING_SAID,
    ids: UniqueIds | None = None,
    within: str = "",
) -> TableRows:
    """Yields samples of (source, columns) pairs. Picture paths are relative to `folder` or its images/.

    A row with a whole dialog becomes one row a turn. Rows with single turns get the turns before them (`_dialogs`).
    within: a folder prefixed to picture names in ids and groups, for data sets with several tables that have their
    own pictures. ids: the ids of the other tables.
    """
    table = list(rows)
    dialogs = dialog_columns(row for _, row in table)
    if dialogs is not None:
        table = turns_of(table, dialogs, on_error, said.mentioned)
    if not table:
        return TableRows()
    every = list(dict.fromkeys(name for _, row in table for name in row))
    said.require(every, table[0][0])
    names = usual_names(said.row({name: name for name in every}))
    table = [(source, usual_names(said.row(row))) for source, row in table]
    columns_of_rows = [row for _, row in table]
    folders = folders_of(folder, said)
    # A start that is no time is an error of its row, not a missing number.
    times = PartColumns.of(columns_of_rows).names if _has_recordings(columns_of_rows) else ()
    forms = _read_cells(table, said, {n: c for n, c in names.items() if n not in times})
    columns = Columns(columns_of_rows, folders, said=said)
    _joined(columns_of_rows, columns)
    finders = {
        name: Finder(folders, names_in(columns_of_rows, name), said=said.images_dir is not None)
        for name in columns.kinds
    }
    ids = ids or UniqueIds()
    samples: list[Sample] = []
    for source, row in table:
        try:
            columns.check(row, source)
            media = {
                name: files_of(finders[name], row[name], columns.known_as(name), kind, source)
                for name, kind in columns.kinds.items()
                if not is_missing(row.get(name))
            }
            known = columns.image if columns.image in media else next(iter(media), None)
            name = None if known is None else posixpath.join(within, called(row[known]))
            whole = dialogs is not None and dialogs.whole
            place = f"{source}, turn {row[ROUND]}" if whole else source
            identity = ids.of_row(cell(row, "id"), name or source.rpartition("/")[2], place)
            picture = None if name is None else posixpath.normpath(name)
            if dialogs is not None and picture is None:
                row.setdefault("group", row.get(DIALOG) or source)
            samples.append(
                row_sample(columns, row, media, identity=identity, picture=picture, source=source)
            )
        except DataError as error:
            on_error(error)
    sought = {name: finder.folder for name, finder in finders.items() if finder.relative}
    return TableRows(samples, columns.known(sought, forms.notes, forms.said))


def _has_recordings(rows: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the first rows name sounds or videos."""
    values = (value for row in rows[:PROBED_ROWS] for value in row.values())
    return any(
        (v.kind if isinstance(v, Media) else kind_of(v)) in RECORDINGS
        for v in values
        if isinstance(v, str | Media)
    )


def row_sample(
    columns: Columns,
    row: Mapping[str, Any],
    media: Mapping[str, Media | list[Media]],
    *,
    identity: str,
    picture: str | None,
    source: str,
) -> Sample:
    """Makes the sample of a checked row. media: column -> the row's files; picture: the picture's identity.

    group: the column of that name, else the picture, else the row. match: the column of that name, else the picture
    (and the part of a recording) if the row has a text with it, else the group. So pictures of one patient share a
    group, but the text of one does not match another.
    """
    for name in ROLES:
        if isinstance(row.get(name), list | dict | bytes):
            reason = f"column '{name}' holds {row[name]!r:.60}, expected a string or a number"
            raise DataError(reason, source=source)
    group, match = cell(row, "group") or picture or identity, cell(row, "match")
    if isinstance(row.get("match"), bool) or (match or "").lower() in ("true", "false"):
        reason = (
            f"column 'match' holds {row['match']!r}, expected a name that matching rows share; call a "
            "label otherwise"
        )
        raise DataError(reason, source=source)
    part = columns.parts.part(row, source)
    if part is not None:
        media = {name: cut(value, part, source) for name, value in media.items()}
    if match is None and columns.text is not None and row[columns.text] is not None:
        match = picture if part is None or picture is None else f"{picture} {part[0]:g}-{part[1]}"
    check_unicode(f"{identity}{group}{match}", source)
    items = columns.items(row, media)
    return Sample(identity, group, items, source, None if match == group else match)


def folders_of(folder: Path, said: Said) -> tuple[Path, ...]:
    """Returns the folders where the files of a table in `folder` may lie."""
    if said.images_dir is not None:
        return (said.images_dir,)
    others = (folder / name for name in RECORDING_FOLDERS)
    return (folder / "images", *(place for place in others if place.is_dir()), folder)


def files_of(
    finder: Finder, value: Any, column: str, kind: Kind, source: str
) -> Media | list[Media]:
    """Returns the file, or the pictures, that a row names in a column.

    Raises DataError if the column holds no path.
    """
    if isinstance(value, Media) or _all_media(value):
        held: Media | list[Media] = value
        return held
    names = several(value) if kind == "image" else None
    if isinstance(value, str) and (names is None or names == [value.strip()]):
        return _file(finder, value, column, kind, source)
    if names is None:
        expected = "a path or a list of paths" if kind == "image" else "a path"
        raise DataError(
            f"column '{column}' holds {value!r:.60}, expected {expected}", source=source
        )
    return [_file(finder, name, column, kind, source) for name in names]


def _all_media(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, Media) for v in value)


def _file(finder: Finder, name: str, column: str, kind: Kind, source: str) -> Media:
    if not name or "\0" in name:
        raise DataError(f"column '{column}' holds {name!r:.60}, expected a path", source=source)
    check_unicode(name, source)
    return Media.file(finder.path(name), kind, folder=finder.base)


def check_unicode(name: str, source: str) -> None:
    """Raises DataError for a name that cannot be written as UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        reason = f"a name holds half a surrogate pair: {name!a:.60}"
        raise DataError(reason, source=source) from None


def _read_cells(table: Sequence[Row], said: Said, names: Mapping[str, str]) -> Forms:
    """Parses the cells of all columns in place. names: column -> its name in the file."""
    rows = [row for _, row in table]
    for row in rows:
        row.update({name: without_blanks(value) for name, value in row.items()})
    columns = ((name, [row.get(name) for row in rows]) for name in names)
    forms = forms_of(columns, lambda place: table[place][0], said, names)
    for name, form in forms.of.items():
        if form.kind:
            for row in rows:
                if name in row:
                    row[name] = form.cell(row[name])
    return forms


def without_blanks(value: Any) -> Any:
    """Returns a text cell without blanks around it; None if nothing is left, which means that the row has no value."""
    return value.strip() or None if isinstance(value, str) else value


def _joined(rows: Sequence[dict[str, Any]], columns: Columns) -> None:
    """Merges picture columns image_1, image_2, ... into one column of lists, in place."""
    pictures = [name for name, kind in columns.kinds.items() if kind == "image"]
    for base, names in numbered(pictures).items():
        for row in rows:
            held = [name for name in names if name in row]
            found = [each for n in held for each in several(row.pop(n)) or ()]
            row[base] = found or None
        columns.join(base, names)


def names_in(rows: Sequence[dict[str, Any]], column: str) -> list[str]:
    """Returns the files that the first rows name."""
    found: list[str] = []
    for row in rows:
        value = row.get(column)
        if value is not None and not isinstance(value, Media) and not _all_media(value):
            found += several(value) or [str(value)]
        if len(found) >= 100:
            break
    return found


def called(value: Any) -> str:
    """Returns the name of a cell's file; of several, all names; of values in memory, a digest of the content."""
    if isinstance(value, Media):
        return value.digest() if value.path is None else str(value.path)
    if _all_media(value):
        return ";".join(map(called, value))
    return ";".join(several(value) or [str(value)]) if not isinstance(value, str) else value
