"""Stamps of rows, computed without decoding, that show whether the data have changed."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from weft.core.errors import DataError
from weft.core.media import Media
from weft.core.places import digest_of
from weft.core.text import utf8
from weft.data.formats import Dataset


def stamp(
    dataset: Dataset, rows: Iterable[int], *, columns: Sequence[str] = (), times: bool = True
) -> str:
    """Returns 32 hex digits that change when one of these rows changes.

    Of a file, or a value inside one, the path, size and times of change count; of anything else the content. columns:
    only these; all if empty. times: include the times of files. Without them a copy of the data has the same stamp,
    but a file replaced by another one of the same size goes unnoticed.
    """
    digest = hashlib.blake2b(digest_size=16)
    for row in rows:
        try:
            sample = dataset[row]
        except DataError as error:
            _add(digest, "error", utf8(str(error)))
            continue
        names = [sample.id, sample.group, *([] if sample.match is None else [sample.match])]
        _add(digest, "row", utf8("\0".join(names)))
        for name, value in sorted(sample.items.items()):
            if not columns or name in columns:
                _add(digest, name, _content(value, times))
    return digest.hexdigest()


def _add(digest: Any, name: str, content: bytes) -> None:
    """Adds a value, preceded by its length, so that no two different rows give the same bytes."""
    digest.update(utf8(f"{name}\0{len(content)}\0"))
    digest.update(content)


def _content(value: Any, times: bool) -> bytes:
    return json.dumps(value, sort_keys=True, default=lambda raw: _told(raw, times)).encode()


def _told(value: Any, times: bool) -> str:
    """Returns a string that distinguishes a value which JSON cannot hold."""
    if isinstance(value, Media):
        return f"{value.kind} {value.stamp(times=times)}"
    return digest_of(value) if isinstance(value, np.ndarray) else repr(value)
