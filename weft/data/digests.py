"""Content hashes of pictures, kept with each file's size and times to notice changes."""

import hashlib
import json
import logging
import time
from pathlib import Path
from typing import Any

from weft.core.errors import WeftError
from weft.core.files import read_file, write_text
from weft.core.media import Media
from weft.core.places import digest_of

YOUNG_NS = 2_000_000_000
"""Nanoseconds after a change within which a file may change again unnoticed, in the same tick of its clock."""
log = logging.getLogger("weft.data")


class Digests:
    """Digests of raw values. Those of files are kept in `path`, so each file is read only once.

    A file counts as unchanged while its path, size and times of change stay the same.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known = _read(path)
        self._changed = False

    def of(self, raw: Any) -> str:
        """Returns 32 hex digits for the content of a Media, a list of them, or another value as JSON. Raises
        WeftError."""
        if isinstance(raw, list | tuple) and any(isinstance(one, Media) for one in raw):
            return digest_of(" ".join(map(self.of, raw)).encode())
        if not isinstance(raw, Media):
            return digest_of(json.dumps(raw).encode())
        changed = raw.place.changed()
        if changed is None:
            return raw.digest()
        stamp = raw.stamp(times=True).encode(errors="surrogatepass")
        key = hashlib.blake2b(stamp, digest_size=16).hexdigest()
        if key not in self._known:
            digest = raw.digest()
            if time.time_ns() - changed < YOUNG_NS:
                return digest
            self._known[key] = digest
            self._changed = True
        return self._known[key]

    def save(self) -> None:
        """Saves new digests."""
        if not self._changed:
            return
        try:
            write_text(self._path, json.dumps(self._known))
            self._changed = False
        except WeftError as error:
            log.debug("digests of files stay in memory: %s", error)


def _read(path: Path) -> dict[str, str]:
    """Returns the saved digests; empty if the file is missing or holds anything else."""
    try:
        values = json.loads(read_file(path))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(values, dict) or not all(map(_is_digest, values.values())):
        return {}
    return values


def _is_digest(value: Any) -> bool:
    return isinstance(value, str) and len(value) == 32
