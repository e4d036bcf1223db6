"""Checks the output path of a command before hours of work, so that the command does not overwrite its input."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from weft.core.errors import WeftError
from weft.core.files import check_writable
from weft.core.kinds import kind_of, suffix_of

if TYPE_CHECKING:
    from weft.runs.recipe import Recipe

_ROWS = ("csv", "tsv", "json", "jsonl", "ndjson", "xlsx", "xlsm", "parquet", "txt", "tar", "zip")
"""Suffixes of files that hold rows. `kind_of` knows those of pictures and other media."""


def check_output(path: Path, read: Iterable[object], otherwise: str = "") -> None:
    """Raises WeftError if no file can be written at `path`, or if it would replace input of the command.

    read: files and folders that the command reads; None and strings that are no file names are ignored. In a folder,
    files with rows or media count as input. otherwise: see `check_writable`.
    """
    check_writable(path, otherwise)
    check_kept(path, read)


def check_kept(path: Path, read: Iterable[object]) -> None:
    """Raises WeftError if writing `path` would replace one of the files `read`, also through links."""
    if not path.exists():
        return
    there = path.resolve()
    for one in read:
        if isinstance(one, str | Path) and _is_lost(there, Path(one)):
            raise WeftError(
                f"{path}: is read by this command and would be replaced; write to another file"
            )


def files_of(recipe: "Recipe") -> list[Path]:
    """The files and folders from which the rows of the recipe are read."""
    files = recipe.data.source.files
    if files is None:
        return []
    return [files.path, *files.joined.values(), *filter(None, [files.images_dir])]


def _is_lost(there: Path, read: Path) -> bool:
    """Whether writing `there`, an existing file with all links followed, would replace `read` or input in it."""
    try:
        if read.is_dir():
            holds = kind_of(there.name) != "file" or suffix_of(there.name) in _ROWS
            return holds and read.resolve() in there.parents
        return read.exists() and read.samefile(there)
    except (OSError, ValueError):  # not a file name: a sentence, an address
        return False
