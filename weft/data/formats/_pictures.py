"""Finds the files below a folder, also through links."""

import os
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from weft.core.errors import DataError
from weft.core.kinds import COLUMN_KINDS, kind_of
from weft.data.formats._rows import OnError


class File(NamedTuple):
    """A file below a folder. name: its path from there, with slashes. real: its path with all links resolved."""

    path: Path
    name: str
    real: str

    @property
    def stem(self) -> str:
        """Returns the name without suffix, normalised to Unicode NFC."""
        return unicodedata.normalize("NFC", os.path.splitext(self.name)[0])

    @property
    def folder(self) -> str:
        """Returns the name of its folder; empty at the top."""
        return self.name.rpartition("/")[0]


def files_below(
    folder: Path, on_error: OnError, within: str = "", above: tuple[str, ...] = ()
) -> Iterator[File]:
    """Lists all files below `folder`, sorted by name, without hidden ones.

    within: the name of the folder itself. above: the resolved paths of the folders that lead here. A link back to one
    of them would make an endless loop and is an error.
    """
    real = os.path.realpath(folder)
    if real in above:
        on_error(DataError(f"is a link that leads back to {real}", source=str(folder)))
        return
    with os.scandir(folder) as entries:
        ordered = sorted(entries, key=lambda entry: entry.name)
    for entry in ordered:
        if entry.name.startswith("."):
            continue
        name = f"{within}/{entry.name}" if within else entry.name
        if entry.is_dir():
            yield from files_below(Path(entry.path), on_error, name, (*above, real))
        else:
            place = os.path.realpath(entry.path) if entry.is_symlink() else f"{real}/{entry.name}"
            yield File(Path(entry.path), name, place)


def has_media(folder: Path) -> bool:
    """Whether there is a picture, a sound or a video somewhere below `folder`."""
    return any(kind_of(file.name) in COLUMN_KINDS for file in files_below(folder, lambda _: None))
