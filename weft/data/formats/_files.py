"""Reading the text files of a data set, with the file and line in every error."""

import fnmatch
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from weft.core.errors import DataError, brief
from weft.core.files import open_file, read_file
from weft.data.formats._encodings import PROBED_BYTES, decode, is_bad, marked, not_text
from weft.data.formats._rows import OnError

LONGEST_LINE = 64 << 20
TEXT_SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".txt")
_LISTINGS: ContextVar[dict[Path, dict[str, list[str]]] | None] = ContextVar(
    "listings", default=None
)


def read_text(path: Path, encoding: str | None = None) -> str:
    """The file as text, without a byte-order mark. Raises DataError with file and line."""
    data = read_bytes(path)
    text = decode(data, path, encoding)
    if is_bad(text):
        line = next(n for n, line in enumerate(text.split("\n")) if is_bad(line))
        reason = not_text(data, data.split(b"\n")[line], encoding)
        raise DataError(reason, source=f"{path}:{line + 1}")
    return text


def read_bytes(path: Path) -> bytes:
    """The file. Raises DataError where it cannot be read."""
    try:
        return read_file(path)
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", source=str(path)) from None


def read_json(path: Path, encoding: str | None = None) -> Any:
    """The file as JSON. Raises DataError with file and line."""
    try:
        return json.loads(read_text(path, encoding))
    except json.JSONDecodeError as error:
        raise DataError(f"is not JSON: {error.msg}", source=f"{path}:{error.lineno}") from None
    except RecursionError:
        raise DataError("is not JSON that can be read: nested too deep", source=str(path)) from None
    except ValueError as error:  # a number with more digits than Python parses
        raise DataError(f"is not JSON that can be read: {error}", source=str(path)) from None


def lines(path: Path, on_error: OnError, encoding: str | None = None) -> Iterator[tuple[str, str]]:
    """Yields (file:line, text) of every line that is not blank. A line that is not text is an error.

    encoding: the user's; by default that of the byte-order mark, or UTF-8. Raises DataError at a line of more than
    LONGEST_LINE bytes: such a file is hardly a table.
    """
    hint: str | None = None
    for number, (line, text) in enumerate(_lines(path, encoding), start=1):
        source = f"{path}:{number}"
        if is_bad(text):
            hint = hint or not_text(_start(path), line, encoding)
            on_error(DataError(hint, source=source))
        elif text.strip():
            yield source, text


def _lines(path: Path, encoding: str | None) -> Iterator[tuple[bytes, str]]:
    """The bytes and the text of every line."""
    start = _start(path)
    if encoding is not None or (marked(start) or "utf-8-sig") != "utf-8-sig":
        for text in decode(read_bytes(path), path, encoding).split("\n"):
            yield text.encode(encoding or "utf-8", "surrogateescape"), text.rstrip("\r")
        return
    with open_file(path) as file:
        for number, line in enumerate(iter(lambda: file.readline(LONGEST_LINE + 1), b""), start=1):
            if len(line) > LONGEST_LINE:
                reason = f"is a line of more than {LONGEST_LINE:,} bytes"
                raise DataError(reason, source=f"{path}:{number}")
            text = line.decode("utf-8", "surrogateescape").rstrip("\r\n")
            yield line, text.removeprefix("\ufeff") if number == 1 else text


def _start(path: Path) -> bytes:
    try:
        with open_file(path) as file:
            return file.read(PROBED_BYTES)
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", source=str(path)) from None


def said_of_nothing(path: Path) -> str:
    """Explains why a text file has no rows: `: it is empty (0 bytes)`; "" if the reason is unknown."""
    if path.suffix.lower() not in TEXT_SUFFIXES or not path.is_file():
        return ""
    start = _start(path)
    lines = [line for line in decode(start, path).split("\n") if line.strip()]
    if not start:
        return ": it is empty (0 bytes)"
    if not lines:
        return ": all its lines are blank"
    return f": it has only a header, {brief(lines[0].strip())}" if len(lines) == 1 else ""


def json_objects(
    path: Path, on_error: OnError, encoding: str | None = None
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields (file:line, object) of every line of JSON lines."""
    for source, text in lines(path, on_error, encoding):
        try:
            row = json.loads(text)
        except (ValueError, RecursionError) as error:
            reason = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
            on_error(DataError(f"is not JSON: {reason}: {text[:60]!r}", source=source))
            continue
        if isinstance(row, dict):
            yield source, row
        else:
            on_error(DataError(f"holds {text[:60]!r}, expected a JSON object", source=source))


def named(folder: Path, *names: str) -> list[Path]:
    """Returns the files in `folder` whose name is one of `names` in any case, in the order of `names`.

    A name may hold * as a wildcard. Empty if there is no such folder.
    """
    there = _listed(folder)
    lowered = [name.lower() for name in names]
    known = [fnmatch.filter(there, name) if "*" in name else [name] for name in lowered]
    found = [folder / own for names in known for name in names for own in there.get(name, ())]
    return [path for path in found if path.is_file()]


@contextmanager
def listed_once() -> Iterator[None]:
    """Inside, `named` lists each folder only once: a folder of pictures may hold millions, and every format looks for
    its files in it."""
    token = _LISTINGS.set({})
    try:
        yield
    finally:
        _LISTINGS.reset(token)


def _listed(folder: Path) -> dict[str, list[str]]:
    """Maps lower-case names to the sorted names in the folder that differ only in case; empty if there is no such
    folder."""
    kept = _LISTINGS.get()
    if kept is not None and folder in kept:
        return kept[folder]
    found: dict[str, list[str]] = {}
    for name in sorted(os.listdir(folder)) if folder.is_dir() else ():
        found.setdefault(name.lower(), []).append(name)
    if kept is not None:
        kept[folder] = found
    return found
