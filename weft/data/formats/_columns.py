"""Tables: which columns have a meaning, and from a row's columns to a sample."""

import functools
import math
import posixpath
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from weft.core.errors import DataError
from weft.core.records import Sample
from weft.data.formats._rows import OnError, UniqueIds, is_picture, picture_folder, split_name

IMAGE_COLUMNS = ("image", "image_path", "image_name", "img_path")
FILE_COLUMNS = ("file_name", "filename", "filepath", "file", "path")
TEXT_COLUMNS = ("text", "captions", "caption", "sentences", "sentence", "comment")
ROW_COLUMNS = ("id", "group", "match", "split")
"""What a table may say of a row itself; an empty cell says nothing."""
_USUAL = frozenset((*IMAGE_COLUMNS, *FILE_COLUMNS, *TEXT_COLUMNS, *ROW_COLUMNS, "label"))


class Columns:
    """Which columns of a table are picture and text: the known names that most rows have.

    Every row must have those columns; a null says that this row has no picture or no text.
    """

    def __init__(self, rows: Sequence[Mapping[str, Any]], source: str) -> None:
        counts = Counter(name for row in rows for name in row)
        files = Counter(name for row in rows for name in FILE_COLUMNS if is_picture(row.get(name)))
        self.image = _most(IMAGE_COLUMNS, counts) or _most(FILE_COLUMNS, files)
        self.text = _most(TEXT_COLUMNS, counts)
        if self.image is None and self.text is None:
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

    def items(self, row: Mapping[str, Any], image: Any) -> dict[str, Any]:
        """The items of a checked row whose picture (a path, bytes or None) is `image`."""
        items = {
            name: value
            for name, value in row.items()
            if value is not None and name not in (self.image, self.text, *ROW_COLUMNS)
        }
        if image is not None:
            items["image"] = image
        if self.text is not None and row[self.text] is not None:
            items["text"] = row[self.text]
        if (split := cell(row, "split")) is not None:
            items["split"] = split_name(split)
        return items


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
    image: Any,
    *,
    identity: str,
    picture: str | None,
    source: str,
) -> Sample:
    """The sample of a checked row. image: its picture, or where it lies; picture: what that is known by.

    group: the column of that name, else the picture, else the row. match: the column of that name, else
    the picture where the row has a text with it, else the group. Pictures of one patient are so in one
    group, while the text of one is not right for another.
    """
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
    items = columns.items(row, image)
    return Sample(identity, group, items, source, None if match == group else match)


def table_samples(
    rows: Iterable[tuple[str, dict[str, Any]]],
    folder: Path,
    on_error: OnError,
    *,
    ids: UniqueIds | None = None,
    within: str = "",
) -> list[Sample]:
    """Samples of (source, columns) pairs whose picture paths are relative to `folder` or its images/.

    within: the folder that a picture's name is preceded by in its id and group, where a data set has
    several tables with pictures of their own. ids: those of other tables.
    """
    table = [(source, usual_names(row)) for source, row in rows]
    if not table:
        return []
    columns = Columns([row for _, row in table], table[0][0])
    image = columns.image
    names = [str(row[image]) for _, row in table if image is not None and row.get(image)]
    pictures = picture_folder((folder / "images", folder / "Images", folder), names)
    ids = ids or UniqueIds()
    samples: list[Sample] = []
    for source, row in table:
        try:
            columns.check(row, source)
            path = None if image is None else picture_path(pictures, row[image], image, source)
            name = None if path is None or image is None else posixpath.join(within, row[image])
            identity = ids.of_row(cell(row, "id"), name or source.rpartition("/")[2], source)
            picture = None if name is None else posixpath.normpath(name)
            samples.append(
                row_sample(columns, row, path, identity=identity, picture=picture, source=source)
            )
        except DataError as error:
            on_error(error)
    return samples


def picture_path(folder: Path, name: Any, column: str, source: str) -> Path | None:
    """The path of a row's picture. Raises DataError where the column holds no path."""
    if name is None:
        return None
    if not isinstance(name, str) or not name or "\0" in name:
        raise DataError(f"column '{column}' holds {name!r:.60}, expected a path", source=source)
    check_unicode(name, source)
    return folder / name


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
