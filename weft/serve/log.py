"""Log with a line of JSON for each request, without content of requests or answers."""

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
    """Appends lines to the file `path`. Without a path only warnings and errors are written, to stderr."""

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
        """Writes one line. facts: numbers and short names, never content of a request."""
        if self._file is None and level == "info":
            return
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
        written = json.dumps({"time": now, "level": level, "event": event, **facts})
        # On a full disk lines are lost, but no answers.
        with self._lock, contextlib.suppress(OSError):
            print(written, file=self._file or sys.stderr, flush=True)

    def close(self) -> None:
        """Closes the file. Later warnings go to stderr."""
        with self._lock, contextlib.suppress(OSError):
            file, self._file = self._file, None
            if file is not None:
                file.close()
