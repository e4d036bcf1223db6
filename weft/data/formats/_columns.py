"""Tables: which columns have a meaning, and from a row's columns to a sample."""

import functools
import math
import os
import posixpath
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from weft.core.errors import DataError
from weft.core.kinds import COLUMN_KINDS, Kind, kind_of
from weft.core.media import Alternatives, Media
from weft.core.samples import Sample
from weft.data.formats._rows import (
    KnownColumns,
    OnError,
    TableRows,
    UniqueIds,
    is_picture,
    picture_folder,
    split_name,
)

IMAGE_COLUMNS = ("image", "image_path", "image_name", "img_path")
FILE_COLUMNS = ("file_name", "filename", "filepath", "file", "path")
TEXT_COLUMNS = ("text", "captions", "caption", "sentences", "sentence", "comment")
ROW_COLUMNS = ("id", "group", "match", "split")
"""What a table may say of a row itself; an empty cell says nothing."""
NAMED_KINDS: dict[str, Kind] = {
    name: kind for kind in COLUMN_KINDS if kind != "image" for name in (kind, f"{kind}_path")
}
"""Columns of sounds and films by their names; the item is called after the kind."""
PROBED_ROWS = 100
_USUAL = frozenset((*IMAGE_COLUMNS, *FILE_COLUMNS, *TEXT_COLUMNS, *ROW_COLUMNS, "label"))


class Columns:
    """What the columns of a table hold: pictures, sounds, films, captions, or values as they are.

    image, text: the columns of the known names that most rows have; every row must have them, and a null
    says that this row has none. kinds: the columns of files, `image` included, and their kinds: those
    called so, and those whose values are all names of one kind of file that lies in `folders`; `stored`
    are those that the table itself holds.
    """

    def __init__(
        self,
        rows: Sequence[Mapping[str, Any]],
        source: str,
        folders: Sequence[Path] = (),
        *,
        stored: Mapping[str, Kind] | None = None,
    ) -> None:
        counts = Counter(name for row in rows for name in row)
        files = Counter(name for row in rows for name in FILE_COLUMNS if is_picture(row.get(name)))
        self._names = tuple(counts)
        self.image = _most(IMAGE_COLUMNS, counts) or _most(FILE_COLUMNS, files)
        self.text = _most(TEXT_COLUMNS, counts)
        pictures = [name for name, kind in (stored or {}).items() if kind == "image"]
        if self.image is None and len(pictures) == 1:
            self.image = pictures[0]
        self.kinds: dict[str, Kind] = dict(stored or {})
        self.kinds |= {} if self.image is None else {self.image: "image"}
        self.kinds |= {n: kind for n, kind in NAMED_KINDS.items() if n in counts}
        for name in counts.keys() - self.kinds.keys() - _USUAL:
            kind = _kind_of_files([row.get(name) for row in rows[:PROBED_ROWS]], folders)
            if kind is not None:
                self.kinds[name] = kind
        if not self.kinds and self.text is None:
            raise DataError(
                f"has the columns {', '.join(rows[0]) or '(none)'}, expected one of "
                f"{', '.join(IMAGE_COLUMNS + FILE_COLUMNS)} or of {', '.join(TEXT_COLUMNS)}",
                source=source,
            )

    def check(self, row: Mapping[str, Any], source: str) -> None:
        """Raises DataError for a row that lacks a needed column."""
        for needed in (self.image, self.text):
            if needed is not None and needed not in row:
                raise DataError(
                    f"has no column '{needed}', it has: {', '.join(row) or '(none)'}",
                    source=source,
                )
        if self.text is not None and not _is_text(row[self.text]):
            raise DataError(
                f"column '{self.text}' holds {row[self.text]!r:.60}, "
                "expected a string or a list of strings",
                source=source,
            )

    def items(self, row: Mapping[str, Any], media: Mapping[str, Media]) -> dict[str, Any]:
        """The items of a checked row. media: column -> what its file is, of the row's files."""
        items: dict[str, Any] = {}
        for name, value in row.items():
            if value is None or name in ROW_COLUMNS:
                continue
            if name in media:
                items[self.item(name)] = media[name]
            elif name == self.text:
                items["text"] = alternatives(value)
            elif is_text_column(name):
                items[name] = alternatives(value)
            elif name not in self.kinds:
                items[name] = value
        if (split := cell(row, "split")) is not None:
            items["split"] = split_name(split)
        return items

    def known(self) -> KnownColumns:
        """The items of the columns, and which column has which meaning."""
        meanings = {name: name for name in ROW_COLUMNS if name in self._names}
        if self.image is not None:
            meanings["image"] = self.image
        if self.text is not None:
            meanings["text"] = self.text
        others = (name for name in self._names if name not in ROW_COLUMNS)
        items = ("text" if name == self.text else self.item(name) for name in others)
        return KnownColumns(tuple(dict.fromkeys(items)), meanings)

    def item(self, name: str) -> str:
        """What a column of files is called among the items: `image_path` is image."""
        if name == self.image:
            return "image"
        return NAMED_KINDS.get(name, name)


def alternatives(value: Any) -> Any:
    """A list of strings as what it is in a column of texts: several captions."""
    return Alternatives(value) if isinstance(value, list) and _is_text(value) else value


def is_text_column(name: str) -> bool:
    """Whether a column is one of texts by its name: captions, or text_zh, captions_de."""
    return name in TEXT_COLUMNS or name.startswith(tuple(f"{text}_" for text in TEXT_COLUMNS))


def _kind_of_files(values: Sequence[Any], folders: Sequence[Path]) -> Kind | None:
    """The kind of file that all values name, where one of them is there."""
    names = [value for value in values if value is not None]
    if not names or not all(isinstance(name, str) and "\0" not in name for name in names):
        return None
    kinds = {kind_of(name) for name in names}
    there = any(os.path.isfile(folder / name) for folder in folders for name in names)
    return kinds.pop() if len(kinds) == 1 and kinds != {"file"} and there else None


def usual_names(row: dict[str, Any]) -> dict[str, Any]:
    """The row with the columns that have a meaning under their usual names: ` Split` is split."""
    names = _renamed(tuple(row))
    if not names:
        return row
    return {names.get(name, name): value for name, value in row.items()}


@functools.lru_cache(maxsize=1024)
def _renamed(names: tuple[str, ...]) -> dict[str, str]:
    """Column -> its usual name, of those that have another; the first of several that have the same."""
    found: dict[str, str] = {}
    for name in names:
        usual = name.strip().lower()
        if usual in _USUAL and usual not in names and usual not in found.values():
            found[name] = usual
    return found


def cell(row: Mapping[str, Any], name: str) -> str | None:
    """What the row says in that column; None for nothing, blanks and not-a-number."""
    value = row.get(name)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    return str(value).strip() or None


def row_sample(
    columns: Columns,
    row: Mapping[str, Any],
    media: Mapping[str, Media],
    *,
    identity: str,
    picture: str | None,
    source: str,
) -> Sample:
    """The sample of a checked row. media: column -> the row's file; picture: what that is known by.

    group: the column of that name, else the picture, else the row. match: the column of that name, else
    the picture where the row has a text with it, else the group. Pictures of one patient are so in one
    group, while the text of one is not right for another.
    """
    for name in ROW_COLUMNS:
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
    if match is None and columns.text is not None and row[columns.text] is not None:
        match = picture
    check_unicode(f"{identity}{group}{match}", source)
    items = columns.items(row, media)
    return Sample(identity, group, items, source, None if match == group else match)


def table_samples(
    rows: Iterable[tuple[str, dict[str, Any]]],
    folder: Path,
    on_error: OnError,
    *,
    ids: UniqueIds | None = None,
    within: str = "",
) -> TableRows:
    """Samples of (source, columns) pairs whose picture paths are relative to `folder` or its images/.

    within: the folder that a picture's name is preceded by in its id and group, where a data set has
    several tables with pictures of their own. ids: those of other tables.
    """
    table = [(source, usual_names(row)) for source, row in rows]
    if not table:
        return TableRows()
    folders = (folder / "images", folder)
    columns = Columns([row for _, row in table], table[0][0], folders)
    places = {
        name: picture_folder(folders, [str(row[name]) for _, row in table if row.get(name)])
        for name in columns.kinds
    }
    ids = ids or UniqueIds()
    samples: list[Sample] = []
    for source, row in table:
        try:
            columns.check(row, source)
            media = {
                name: file_of(places[name], row[name], name, kind, source, folder=folder)
                for name, kind in columns.kinds.items()
                if row.get(name) is not None
            }
            known = columns.image if columns.image in media else next(iter(media), None)
            name = None if known is None else posixpath.join(within, row[known])
            identity = ids.of_row(cell(row, "id"), name or source.rpartition("/")[2], source)
            picture = None if name is None else posixpath.normpath(name)
            samples.append(
                row_sample(columns, row, media, identity=identity, picture=picture, source=source)
            )
        except DataError as error:
            on_error(error)
    return TableRows(samples, columns.known())


def file_of(place: Path, name: Any, column: str, kind: Kind, source: str, *, folder: Path) -> Media:
    """The file that a row names in a column, relative to `place`. folder: that of the data.

    Raises DataError where the column holds no path.
    """
    if not isinstance(name, str) or not name or "\0" in name:
        raise DataError(f"column '{column}' holds {name!r:.60}, expected a path", source=source)
    check_unicode(name, source)
    return Media.file(place / name, kind, folder=folder)


def check_unicode(name: str, source: str) -> None:
    """Raises DataError for a name that cannot be written as UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        reason = f"a name holds half a surrogate pair: {name!a:.60}"
        raise DataError(reason, source=source) from None


def _is_text(value: Any) -> bool:
    """Whether `value` can be a "text" item: a string, a list of strings, or None."""
    if isinstance(value, list):
        return all(isinstance(item, str) for item in value)
    return value is None or isinstance(value, str)


def _most(names: Sequence[str], counts: Mapping[str, int]) -> str | None:
    """The most frequent of `names`, the first one of several."""
    return max((n for n in names if counts.get(n)), key=lambda n: counts[n], default=None)
