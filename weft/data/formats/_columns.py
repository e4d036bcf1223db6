"""The columns of a table: which have a meaning, and how a row becomes items."""

import functools
import math
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast, get_args

from weft.core.errors import DataError
from weft.core.kinds import COLUMN_KINDS, NOUNS, Kind, kind_of
from weft.core.media import RECORDINGS, Alternatives, Media
from weft.core.missing import is_missing
from weft.core.names import present
from weft.data.formats._find import several
from weft.data.formats._parts import PartColumns
from weft.data.formats._rows import KnownColumns, is_picture, split_name
from weft.data.formats._said import NOTHING_SAID, ROLES, Said

IMAGE_COLUMNS = ("image", "image_path", "image_name", "img_path")
FILE_COLUMNS = ("file_name", "filename", "filepath", "file", "path")
TEXT_COLUMNS = ("text", "captions", "caption", "sentences", "sentence", "comment")
_TEXT_PREFIXES = tuple(f"{text}_" for text in TEXT_COLUMNS)
NAMED_KINDS: dict[str, Kind] = {
    name: kind for kind in COLUMN_KINDS if kind != "image" for name in (kind, f"{kind}_path")
}
"""Column names of sounds and videos. The item is named after the kind."""
PROBED_ROWS = 100
_USUAL = frozenset((*IMAGE_COLUMNS, *FILE_COLUMNS, *TEXT_COLUMNS, *ROLES, "label"))
_NUMBERED = re.compile(r"(.+?)[ _-]?(\d+)")


class Columns:
    """What the columns of a table hold: pictures, sounds, videos, captions, or plain values.

    image, text: the columns with known names that most rows have, unless the user declares others. Every row must
    have them; null means that this row has none. kinds: the columns of files, `image` included, and their kinds.
    These are columns with a known name, declared columns, and columns whose values all name files of one kind in
    `folders`. stored: the columns of files that the table itself contains.
    """

    def __init__(
        self,
        rows: Sequence[Mapping[str, Any]],
        folders: Sequence[Path] = (),
        *,
        said: Said = NOTHING_SAID,
        stored: Mapping[str, Kind] | None = None,
    ) -> None:
        counts = Counter(name for row in rows for name in row)
        files = Counter(name for row in rows for name in FILE_COLUMNS if is_picture(row.get(name)))
        self._names = tuple(counts)
        self._said = said
        self.image = _most(IMAGE_COLUMNS, counts) or _most(FILE_COLUMNS, files)
        self.text = _most(TEXT_COLUMNS, counts)
        kinds_said = {n: k for n, k in said.kinds.items() if n in counts or n in (stored or {})}
        pictures = [name for name, kind in (stored or {}).items() if kind == "image"]
        if self.image is None and len(pictures) == 1:
            self.image = pictures[0]
        self.kinds: dict[str, Kind] = dict(stored or {})
        self.kinds |= {} if self.image is None else {self.image: "image"}
        self.kinds |= {n: kind for n, kind in NAMED_KINDS.items() if n in counts}
        self.kinds |= {
            name: cast(Kind, "image" if kind == "images" else kind)
            for name, kind in kinds_said.items()
            if kind in (*get_args(Kind), "images")
        }
        texts_said = {name for name, kind in kinds_said.items() if kind == "text"}
        self._texts = texts_said | ({self.text} if self.text is not None else set())
        values = frozenset(kinds_said) - self._texts
        self._recordings = self._named_recordings(rows, counts)
        self.kinds |= self._recordings
        self.without_files: dict[str, str] = {}
        for name in counts.keys() - self.kinds.keys() - self._texts - values - _USUAL:
            kind, named = _files([row.get(name) for row in rows[:PROBED_ROWS]])
            if kind is None:
                continue
            if any(isinstance(file, Media) or _is_in(folders, file) for file in named):
                self.kinds[name] = kind
            elif folders:
                places = " or ".join(str(folder) for folder in folders)
                what = f"{NOUNS[kind]}s"
                self.without_files[name] = (
                    f"names {what}, none of which is in {places} (--images-dir)"
                )

        recorded = any(kind in RECORDINGS for kind in self.kinds.values())
        self.parts = PartColumns.of(rows) if recorded else PartColumns(None, None)

    def _named_recordings(
        self, rows: Sequence[Mapping[str, Any]], counts: Mapping[str, int]
    ) -> dict[str, Kind]:
        """Finds columns such as `file_name` that name sounds or videos, at most one of each kind."""
        found: dict[str, Kind] = {}
        for name in FILE_COLUMNS:
            if name in counts and name not in self.kinds:
                kinds = {kind_of(str(row[name])) for row in rows if not is_missing(row.get(name))}
                if len(kinds) == 1 and (kind := kinds.pop()) in RECORDINGS:
                    taken = (*counts, *found.values())
                    found |= {} if kind in taken else {name: kind}
        return found

    def join(self, base: str, names: Sequence[str]) -> None:
        """Merges the picture columns `names` into one column of lists, `base`."""
        kept = (base if name == names[0] else name for name in self._names)
        self._names = tuple(name for name in kept if name not in names)
        self.kinds = {n: kind for n, kind in self.kinds.items() if n not in names}
        self.kinds[base] = "image"
        if self.image is None and base in IMAGE_COLUMNS:
            self.image = base

    def check(self, row: Mapping[str, Any], source: str) -> None:
        """Raises DataError for a row that lacks a needed column."""
        for needed in (self.image, self.text):
            if needed is not None and needed not in row:
                raise DataError(
                    f"has no column '{needed}', it has: {', '.join(row) or '(none)'}",
                    source=source,
                )
        for name in self._texts:
            if not _is_text(row.get(name)):
                raise DataError(
                    f"column '{self.known_as(name)}' holds {row[name]!r:.60}, "
                    "expected a string or a list of strings",
                    source=source,
                )

    def items(
        self, row: Mapping[str, Any], media: Mapping[str, Media | list[Media]]
    ) -> dict[str, Any]:
        """Returns the items of a checked row. media: column -> the Media of the row's files."""
        items: dict[str, Any] = {}
        for name, value in row.items():
            if value is None or name in ROLES or name in self.parts.names:
                continue
            if name in media:
                items[self.item(name)] = media[name]
            elif name == self.text:
                items["text"] = alternatives(value)
            elif is_text_column(name) or name in self._texts:
                items[name] = alternatives(value)
            elif name not in self.kinds:
                items[name] = value
        if (split := cell(row, "split")) is not None:
            items["split"] = split_name(split)
        return items

    def item(self, name: str) -> str:
        """Returns the item name of a column: `image_path` becomes image."""
        if name == self.image:
            return "image"
        named = {**NAMED_KINDS, **self._recordings}
        return "text" if name == self.text else named.get(name, name)

    def known_as(self, name: str) -> str:
        """Returns the column's name in the file."""
        return next((c for c, new in self._said.renames.items() if name in new), name)

    def known(
        self, sought: Mapping[str, Path], notes: Mapping[str, str], forms: Mapping[str, str]
    ) -> KnownColumns:
        """Returns what the data set knows about its columns, under their own names; see KnownColumns."""
        meanings = {name: self.known_as(name) for name in ROLES if name in self._names}
        for meaning, column in (("image", self.image), ("text", self.text)):
            if column is not None:
                meanings[meaning] = self.known_as(column)
        left_out = (*ROLES, *self.parts.names)
        others = (self.item(name) for name in self._names if name not in left_out)
        if self.parts.names:
            said = " to ".join(f"'{self.known_as(name)}'" for name in self.parts.names)
            parts = {
                n: f"parts of recordings: {said}" for n, k in self.kinds.items() if k in RECORDINGS
            }
            notes = {**parts, **notes}
        return KnownColumns(
            tuple(dict.fromkeys(others)),
            meanings,
            {self.item(name): note for name, note in notes.items()},
            {self.item(name): folder for name, folder in sought.items()},
            forms,
            {self.item(name): note for name, note in self.without_files.items()},
        )


def numbered(names: Sequence[str]) -> dict[str, list[str]]:
    """Groups `image_1`, `image_2`, ... under image: columns that together hold several values of a kind."""
    found: dict[str, list[tuple[int, str]]] = {}
    for name in names:
        if (match := _NUMBERED.fullmatch(name)) is not None:
            found.setdefault(match[1], []).append((int(match[2]), name))
    return {
        base: [name for _, name in sorted(of)]
        for base, of in found.items()
        if len(of) > 1
        and base not in names
        and sorted(n for n, _ in of) in ([*range(len(of))], [*range(1, len(of) + 1)])
    }


def alternatives(value: Any) -> Any:
    """Turns a list of strings in a text column into Alternatives: several captions."""
    return Alternatives(value) if isinstance(value, list) and _is_text(value) else value


def is_text_column(name: str) -> bool:
    """Whether the name marks a column of texts: captions, or text_zh, captions_de."""
    return name in TEXT_COLUMNS or name.startswith(_TEXT_PREFIXES)


def _files(values: Sequence[Any]) -> tuple[Kind | None, Sequence[Media | str]]:
    """Returns the kind of file that all values are, or name, and these files; None if they are of no one kind."""
    given = [value for value in values if not is_missing(value)]
    media = [m for v in given for m in (v if isinstance(v, list) else [v]) if isinstance(m, Media)]
    if media and len({m.kind for m in media}) == 1:
        return media[0].kind, media
    lists = [several(value) or [value] for value in given]
    names = [name for each in lists for name in each]
    if not names or not all(isinstance(name, str) and "\0" not in name for name in names):
        return None, ()
    kinds = {kind_of(name) for name in names}
    if len(kinds) > 1 or kinds == {"file"}:
        return None, ()
    return kinds.pop(), names


def _is_in(folders: Sequence[Path], name: str) -> bool:
    return any(os.path.isfile(present(folder / name)) for folder in folders)


def usual_names(row: dict[str, Any]) -> dict[str, Any]:
    """Returns the row with known columns under their usual names: ` Split` becomes split."""
    names = _renamed(tuple(row))
    if not names:
        return row
    return {names.get(name, name): value for name, value in row.items()}


@functools.lru_cache(maxsize=1024)
def _renamed(names: tuple[str, ...]) -> dict[str, str]:
    """Maps columns to their usual names where these differ. Of several with the same usual name, the first counts."""
    found: dict[str, str] = {}
    for name in names:
        usual = name.strip().lower()
        if usual in _USUAL and usual not in names and usual not in found.values():
            found[name] = usual
    return found


def cell(row: Mapping[str, Any], name: str) -> str | None:
    """Returns the row's value in that column; None for empty cells, blanks and NaN."""
    value = row.get(name)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    return str(value).strip() or None


def _is_text(value: Any) -> bool:
    """Whether `value` can be a "text" item: a string, a list of strings, or None."""
    if isinstance(value, list):
        return all(isinstance(item, str) for item in value)
    return value is None or isinstance(value, str)


def _most(names: Sequence[str], counts: Mapping[str, int]) -> str | None:
    """Returns the most frequent of `names`; on a tie the first."""
    return max((n for n in names if counts.get(n)), key=lambda n: counts[n], default=None)
