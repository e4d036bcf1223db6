"""A line of JSON for each request, without anything that was sent or answered."""

import contextlib
import datetime
import json
import sys
import threading
from pathlib import Path
from typing import Any, TextIO

from weft.core.errors import WeftError

LEVELS = ("info", "warning", "error")


class Log:
    """Lines go to the end of the file `path`, which outlives the server; without one, warnings and errors to stderr."""

    def __init__(self, path: Path | None = None) -> None:
        self._lock = threading.Lock()
        self._file: TextIO | None = None
        if path is not None:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._file = path.open("a", encoding="utf-8", buffering=1)
            except OSError as error:
                raise WeftError(f"{path}: cannot be written: {error.strerror}") from None

    def line(self, event: str, level: str = "info", **facts: Any) -> None:
        """Writes one line. facts: numbers and short names; never a payload."""
        if self._file is None and level == "info":
            return
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
        written = json.dumps({"time": now, "level": level, "event": event, **facts})
        # On a full disk lines are lost, and no answers.
        with self._lock, contextlib.suppress(OSError):
            print(written, file=self._file or sys.stderr, flush=True)

    def close(self) -> None:
        """Nothing is written afterwards but warnings on stderr."""
        with self._lock, contextlib.suppress(OSError):
            file, self._file = self._file, None
            if file is not None:
                file.close()
