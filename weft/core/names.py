"""Finds files whose names a table spells in another Unicode form: é is one character (NFC) or two (NFD)."""

import functools
import os
import unicodedata
from pathlib import Path


def present(path: Path) -> Path:
    """`path`, or the file or folder of the same name in another Unicode form if only that exists.

    Some systems and archives store names in decomposed form (NFD); keyboards write the composed form.
    """
    if str(path).isascii() or os.path.lexists(path):
        return path
    above = present(path.parent)
    found = _names(above, changed_at(above)).get(unicodedata.normalize("NFC", path.name))
    return above / (found or path.name)


@functools.lru_cache(maxsize=16)
def _names(folder: Path, times: int) -> dict[str, str]:  # noqa: ARG001
    """NFC name -> name, for the names in the folder that are not ASCII."""
    try:
        there = os.listdir(folder)
    except (OSError, ValueError):
        return {}
    return {unicodedata.normalize("NFC", name): name for name in there if not name.isascii()}


def changed_at(folder: Path) -> int:
    """The time at which a folder last gained or lost a file, in ns; 0 if there is no folder."""
    try:
        return os.stat(folder).st_mtime_ns
    except (OSError, ValueError):
        return 0
