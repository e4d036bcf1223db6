"""The files below a folder, through links too."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from weft.core.errors import DataError
from weft.data.formats._rows import OnError, is_picture


class File(NamedTuple):
    """A file below a folder. real: where it lies when all links are followed."""

    path: Path
    real: str


def files_below(folder: Path, on_error: OnError, above: tuple[str, ...] = ()) -> Iterator[File]:
    """All files below `folder` in order of their names, hidden ones left out.

    above: the real places of the folders that lead here. A link that leads back to one of them would
    never end and is an error.
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
        if entry.is_dir():
            yield from files_below(Path(entry.path), on_error, (*above, real))
        else:
            place = os.path.realpath(entry.path) if entry.is_symlink() else f"{real}/{entry.name}"
            yield File(Path(entry.path), place)


def has_pictures(folder: Path) -> bool:
    """Whether there is a picture somewhere below `folder`."""
    return any(is_picture(file.path.name) for file in files_below(folder, lambda _: None))
