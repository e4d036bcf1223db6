"""Where a command writes: looked at before hours of work, so that nothing that it reads is lost."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from weft.core.errors import WeftError
from weft.core.files import check_writable
from weft.core.kinds import kind_of, suffix_of

if TYPE_CHECKING:
    from weft.runs.recipe import Recipe

_ROWS = ("csv", "tsv", "json", "jsonl", "ndjson", "xlsx", "xlsm", "parquet", "txt", "tar", "zip")
"""Suffixes of files that hold rows; pictures and other media are known by `kind_of`."""


def check_output(path: Path, read: Iterable[object], otherwise: str = "") -> None:
    """Raises WeftError where no file can be written at `path`, or what the command reads would be lost by it.

    read: files and folders that it reads; None and what is no name of a file is left out. A file in such a folder is
    lost where it may hold rows or media. otherwise: see `check_writable`.
    """
    check_writable(path, otherwise)
    check_kept(path, read)


def check_kept(path: Path, read: Iterable[object]) -> None:
    """Raises WeftError where writing `path` would replace one of the files `read`, through links too."""
    if not path.exists():
        return
    there = path.resolve()
    for one in read:
        if isinstance(one, str | Path) and _is_lost(there, Path(one)):
            raise WeftError(
                f"{path}: is read by this command and would be replaced; write to another file"
            )


def files_of(recipe: "Recipe") -> list[Path]:
    """The files and folders that the rows of the recipe are read from."""
    files = recipe.data.source.files
    if files is None:
        return []
    return [files.path, *files.joined.values(), *filter(None, [files.images_dir])]


def _is_lost(there: Path, read: Path) -> bool:
    """there: an existing file, all links followed."""
    try:
        if read.is_dir():
            holds = kind_of(there.name) != "file" or suffix_of(there.name) in _ROWS
            return holds and read.resolve() in there.parents
        return read.exists() and read.samefile(there)
    except (OSError, ValueError):  # no name of a file: a sentence, an address
        return False
