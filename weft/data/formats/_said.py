"""The user's declarations about a table: the columns, the folder of its files, the encoding."""

import difflib
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast, get_args

from weft.core.cells import Merge
from weft.core.errors import DataError, WeftError, unknown_name, unknown_names
from weft.core.kinds import Kind, kind_of
from weft.core.media import Alternatives, Media
from weft.core.samples import Sample
from weft.data.formats._encodings import known_encoding
from weft.data.formats._rows import Dataset, KnownColumns, columns_of, split_name
from weft.data.formats._values import FORMS

ROLES = ("id", "group", "match", "split")
"""Meanings of a column that describe the row itself."""
MEANINGS = ("image", "text", "audio", "video", "label", *ROLES)
"""`image=Bild` makes the column Bild the item `image`. Other names make a column the row's id, group, match or split."""
VALUES = ("images", "number", "category", "tags", "date")
FILM = {"video", "audio"}
"""Meanings that one column may have together: a video and its sound track."""
FIRST_ROWS = 100
"""Number of rows whose columns are looked at if the data do not list their columns."""
KINDS = (*MEANINGS, *VALUES, "array", "file", *FORMS)


@dataclass(frozen=True)
class Said:
    """What the user declares about a table.

    columns: meaning -> column (`image=Bild`), kind -> column (`number=Preis`), or column -> kind (`Preis=number`,
    `Preis=decimal-comma`, `Datum=day-first`). images_dir: the folder to which names of pictures and other files are
    relative. encoding: of the table's text. merge: the differences that two spellings of one label may have. forms:
    column -> how its numbers or dates are written in other rows, if they are ambiguous here. Raises WeftError for
    anything else.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    images_dir: Path | None = None
    encoding: str | None = None
    merge: tuple[Merge, ...] = ()
    forms: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.encoding is not None:
            known_encoding(self.encoding)
        if self.images_dir is not None and not self.images_dir.is_dir():
            raise WeftError(
                f"{self.images_dir}: no such folder of pictures, sounds or videos (images_dir)"
            )
        for key, value in self.columns.items():
            if key not in KINDS and value not in KINDS:
                raise WeftError(
                    f"--columns {key}={value}: {_unknown_kind(key, value)}; write KIND=COLUMN or COLUMN=KIND, such "
                    "as image=Bild"
                )
        names = self.mentioned
        twice = {n for n in names if names.count(n) > 1 and {*self.renames.get(n, ())} != FILM}
        if twice:
            raise WeftError(f"columns: '{min(twice)}' is named twice, expected one meaning or kind")

    @property
    def renames(self) -> dict[str, tuple[str, ...]]:
        """Maps columns to their new names: `image`, `group`, ... A column of videos may have two, `video` and `audio`."""
        found: dict[str, tuple[str, ...]] = {}
        for meaning, column in self.columns.items():
            if meaning in MEANINGS:
                found[column] = (*found.get(column, ()), meaning)
        return found

    @property
    def kinds(self) -> dict[str, str]:
        """Maps items to their declared kinds."""
        found: dict[str, str] = {}
        for key, value in self.columns.items():
            if key in MEANINGS:
                found |= {} if key in (*ROLES, "label") else {key: key}
            elif key in KINDS:
                found[value] = key
            else:
                found[key] = value
        return found

    @property
    def mentioned(self) -> list[str]:
        """Lists the columns of the file that the declarations mention."""
        return [v if k in KINDS else k for k, v in self.columns.items()]

    def require(self, names: Sequence[str], source: str) -> None:
        """Raises DataError if declared columns are not among `names`, or one takes the name of another of them.

        A role such as the split (`split=fold`) may take the name of another column: the user chooses which one
        serves.
        """
        lacking: dict[str, str] = {}  # declaration -> its column
        for key, value in self.columns.items():
            name, declared = value if key in KINDS else key, f"{key}={value}"
            if name not in names:
                if name == key and value in names and _near(key):  # imgae=text, of a column text
                    error = unknown_name("kind of column", name, KINDS)
                    raise DataError(f"--columns {declared}: {error}", source=source)
                lacking[declared] = name
        if lacking:
            declared, columns = ",".join(lacking), list(dict.fromkeys(lacking.values()))
            error = unknown_names("column", columns, names)
            raise DataError(f"--columns {declared}: {error}", source=source)
        renames = self.renames
        for name, meaning in ((name, new) for name, every in renames.items() for new in every):
            taken = meaning != name and meaning in names and meaning not in renames
            if taken and meaning not in ROLES:
                raise DataError(
                    f"--columns {meaning}={name}: there is a column '{meaning}' already, which would be lost; "
                    "rename that column in the file, or leave out this option",
                    source=source,
                )

    def row(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the row with its columns under their declared names.

        Videos declared as sounds (`audio=clip`) also stay videos: the sound is their sound track. They keep the name of
        their column, or are called `video` if `video=clip` is declared too.
        """
        renames = self.renames
        if not renames:
            return dict(row)
        sounds = (name for name, new in renames.items() if new == ("audio",))
        videos = {name: row[name] for name in sounds if _is_video(row.get(name))}
        named = ((new, v) for name, v in row.items() for new in renames.get(name, (name,)))
        return videos | dict(named)


NOTHING_SAID = Said()


def _is_video(value: Any) -> bool:
    kind = value.kind if isinstance(value, Media) else kind_of(str(value))
    return kind == "video"


def _unknown_kind(key: str, value: str) -> WeftError:
    """Returns the error for `key=value` if neither is a kind. It names the one that resembles a kind."""
    return unknown_name("kind of column", key if _near(key) else value, KINDS)


def _near(word: str) -> bool:
    """Whether the word resembles a kind."""
    return bool(difflib.get_close_matches(word.lower(), KINDS, n=1, cutoff=0.75))


class SaidRows(Sequence[Sample]):
    """The rows of a data set that is not a table, with the declared items.

    Files are named relative to `folder`. A value that is no file name, or no list of texts, stays as it is. Raises
    DataError if a declared column is neither among the known columns nor in the first rows.
    """

    def __init__(self, dataset: Dataset, said: Said, folder: Path) -> None:
        self._dataset = dataset
        self._said = said
        self._folder = said.images_dir or folder
        known = columns_of(dataset)
        first = [dataset[row].items for row in range(min(FIRST_ROWS, len(dataset)))]
        said.require(list(dict.fromkeys([*known.items, *itertools.chain(*first)])), str(folder))
        renames = said.renames
        items = tuple(new for name in known.items for new in renames.get(name, (name,)))
        meanings = {new: column for column, every in renames.items() for new in every}
        self.known_columns = KnownColumns(items, {**known.meanings, **meanings})

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, index: int) -> Sample:  # type: ignore[override]
        sample = self._dataset[index]
        items = self._said.row(sample.items)
        roles = {
            role: items.pop(role) for role in self._said.columns if role in items.keys() & ROLES
        }
        if "split" in roles:
            items["split"] = split_name(str(roles.pop("split")))
        for name, kind in self._said.kinds.items():
            if name in items:
                items[name] = self._as(kind, items[name])
        return replace(
            sample, items=items, **{n: str(v) for n, v in roles.items() if v is not None}
        )

    def _as(self, kind: str, value: Any) -> Any:
        if kind == "text":
            return Alternatives(value) if isinstance(value, list) else value
        if kind not in get_args(Kind):
            return value
        named = cast(Kind, kind)
        if isinstance(value, Media):
            return replace(value, kind=named)
        if not isinstance(value, str):
            return value
        return Media.file(self._folder / value, named, folder=self._folder)
