"""Finds the files that the cells of a column name."""

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
    """Finds the files of one column.

    folder: where files are sought; relative: whether names are relative to it. base: the folder of the data, or the
    user's.

    If one of the first hundred names is missing, other spellings are tried: slashes for backslashes, the name without
    a suffix, and, if the user named the folder, the name without the folders of the machine that wrote the table.
    """

    def __init__(self, candidates: Sequence[Path], names: Iterable[str], *, said: bool) -> None:
        probed = [name for name, _ in zip(names, range(PROBED_NAMES), strict=False)]
        self.base = candidates[-1]
        self.folder = picture_folder(candidates, probed)
        self.relative = not probed or not all(map(os.path.isabs, probed))
        self._said = said
        self._as_written = all(os.path.exists(present(self.folder / name)) for name in probed)

    def path(self, name: str) -> Path:
        """Returns the file of that name; if there is none, the first place where it was sought."""
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
    """Returns the only file with this name and any suffix: ISIC_0000000 is ISIC_0000000.jpg."""
    if suffix_of(path.name) in _KNOWN:
        return None
    found = _stems(path.parent, changed_at(path.parent)).get(path.name, ())
    return path.parent / found[0] if len(found) == 1 else None


@functools.lru_cache(maxsize=4)
def _stems(folder: Path, times: int) -> dict[str, list[str]]:  # noqa: ARG001
    """Maps names without suffix to files of known kinds."""
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
    """Returns the picture names in a cell: a list, or a string such as `a.jpg;b.jpg`. None for anything else."""
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
