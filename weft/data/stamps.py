"""Has the data changed? A stamp of rows that is made without decoding anything."""

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from weft.core.errors import DataError
from weft.data.formats import Dataset


def stamp(
    dataset: Dataset, rows: Iterable[int], *, columns: Sequence[str] = (), times: bool = True
) -> str:
    """32 hex digits that change when one of these rows does.

    Of a file its path, size and times of change count, of anything else its content. columns: only these;
    all if empty. times: of files; without them a copy of the data has the same stamp, but a file that is
    replaced by another one of its size is not noticed.
    """
    digest = hashlib.blake2b(digest_size=16)
    for row in rows:
        try:
            sample = dataset[row]
        except DataError as error:
            _add(digest, "error", str(error).encode())
            continue
        names = [sample.id, sample.group, *([] if sample.match is None else [sample.match])]
        _add(digest, "row", "\0".join(names).encode())
        for name, value in sorted(sample.items.items()):
            if not columns or name in columns:
                _add(digest, name, _content(value, times))
    return digest.hexdigest()


def _add(digest: Any, name: str, content: bytes) -> None:
    """Lengths stand before contents, so that no two different rows give the same bytes."""
    digest.update(f"{name}\0{len(content)}\0".encode(errors="surrogatepass"))
    digest.update(content)


def _content(value: Any, times: bool) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{value.shape}".encode() + np.ascontiguousarray(value).tobytes()
    if isinstance(value, Path):
        return _file(value, times).encode(errors="surrogatepass")
    return json.dumps(value, sort_keys=True, default=repr).encode(errors="surrogatepass")


def _file(path: Path, times: bool) -> str:
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return f"{path.name}: no file"
    # The time of the last change of the inode moves even where a copy keeps the time of writing.
    when = f"{path} {found.st_mtime_ns} {found.st_ctime_ns}" if times else path.name
    return f"{when} {found.st_size}"
