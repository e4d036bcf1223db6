"""Where the files lie that the cells of a column name."""

import functools
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from weft.core.kinds import SUFFIXES, kind_of, suffix_of
from weft.core.names import changed_at, present
from weft.data.formats._rows import picture_folder

PROBED_NAMES = 100
_DIVIDED = re.compile(r"[;|,]")
_KNOWN = frozenset(suffix for suffixes in SUFFIXES.values() for suffix in suffixes)


class Finder:
    """The files of one column.

    folder: where they are sought; relative: whether names are, which are sought there. base: the folder of the data, or that which the user named. A name is looked for in other spellings only where one of the first
    hundred is not there as it is: with slashes for backslashes, without the suffix, and, where the user
    named the folder, without the folders of the machine on which the table was written.
    """

    def __init__(self, candidates: Sequence[Path], names: Iterable[str], *, said: bool) -> None:
        probed = [name for name, _ in zip(names, range(PROBED_NAMES), strict=False)]
        self.base = candidates[-1]
        self.folder = picture_folder(candidates, probed)
        self.relative = not probed or not all(map(os.path.isabs, probed))
        self._said = said
        self._as_written = all(os.path.exists(present(self.folder / name)) for name in probed)

    def path(self, name: str) -> Path:
        """The file of that name; where there is none, where it was first sought."""
        path = self.folder / name
        if self._as_written or os.path.lexists(path):
            return path
        for spelled in self._spellings(name):
            other = present(self.folder / spelled)
            if os.path.isfile(other):
                return other
            completed = _completed(other)
            if completed is not None:
                return completed
        return path

    def _spellings(self, name: str) -> list[str]:
        plain = name.replace("\\", "/")
        return [plain, plain.rpartition("/")[2]] if self._said else [plain]


def _completed(path: Path) -> Path | None:
    """The only file that is called so but for its suffix: ISIC_0000000 is ISIC_0000000.jpg."""
    if suffix_of(path.name) in _KNOWN:
        return None
    found = _stems(path.parent, changed_at(path.parent)).get(path.name, ())
    return path.parent / found[0] if len(found) == 1 else None


@functools.lru_cache(maxsize=4)
def _stems(folder: Path, times: int) -> dict[str, list[str]]:  # noqa: ARG001
    """Name without suffix -> the files of known kinds that are called so."""
    stems: dict[str, list[str]] = {}
    try:
        names = sorted(os.listdir(folder))
    except (OSError, ValueError):
        return {}
    for name in names:
        if kind_of(name) != "file":
            stems.setdefault(os.path.splitext(name)[0], []).append(name)
    return stems


def several(value: Any) -> list[str] | None:
    """The names of pictures in a cell: a list, or a string such as `a.jpg;b.jpg`. None for anything else."""
    if isinstance(value, str):
        if _DIVIDED.search(value) is None:
            return [value.strip()] if kind_of(value.strip()) == "image" else None
        parts = [part.strip() for part in _DIVIDED.split(value)]
        parts = [part for part in parts if part]
    elif isinstance(value, list | tuple) and value:
        parts = [part for part in value if isinstance(part, str)]
        if len(parts) < len(value):
            return None
    else:
        return None
    return parts if parts and all(kind_of(part) == "image" for part in parts) else None
