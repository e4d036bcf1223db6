"""Reading the text files of a data set, with the file and line in every error."""

import fnmatch
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from weft.core.errors import DataError
from weft.core.files import open_file, read_file
from weft.data.formats._rows import OnError

LONGEST_LINE = 64 << 20
_LISTINGS: ContextVar[dict[Path, dict[str, list[str]]] | None] = ContextVar(
    "listings", default=None
)


def read_text(path: Path) -> str:
    """The file as UTF-8, without a byte-order mark. Raises DataError with file and line."""
    try:
        data = read_file(path)
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", source=str(path)) from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError("is not UTF-8 text", source=f"{path}:{line}") from None


def read_json(path: Path) -> Any:
    """The file as JSON. Raises DataError with file and line."""
    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise DataError(f"is not JSON: {error.msg}", source=f"{path}:{error.lineno}") from None
    except RecursionError:
        raise DataError("is not JSON that can be read: nested too deep", source=str(path)) from None
    except ValueError as error:  # a number of more digits than Python reads
        raise DataError(f"is not JSON that can be read: {error}", source=str(path)) from None


def lines(path: Path, on_error: OnError) -> Iterator[tuple[str, str]]:
    """(file:line, text) of every line that is not blank; a line that is not UTF-8 is an error.

    Raises DataError at a line of more than LONGEST_LINE bytes: what follows is unlikely to be a table.
    """
    try:
        file = open_file(path)
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", source=str(path)) from None
    with file:
        for number, line in enumerate(iter(lambda: file.readline(LONGEST_LINE + 1), b""), start=1):
            source = f"{path}:{number}"
            if len(line) > LONGEST_LINE:
                reason = f"is a line of more than {LONGEST_LINE:,} bytes"
                raise DataError(reason, source=source)
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
            except UnicodeDecodeError:
                on_error(DataError("is not UTF-8 text", source=source))
                continue
            if text.strip():
                yield source, text


def json_objects(path: Path, on_error: OnError) -> Iterator[tuple[str, dict[str, Any]]]:
    """(file:line, object) of every line of JSON lines."""
    for source, text in lines(path, on_error):
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
    """The files in `folder` whose name is one of `names` in any case, in the order of `names`.

    A name may hold * for anything. Empty where there is no such folder.
    """
    there = _listed(folder)
    lowered = [name.lower() for name in names]
    known = [fnmatch.filter(there, name) if "*" in name else [name] for name in lowered]
    found = [folder / own for names in known for name in names for own in there.get(name, ())]
    return [path for path in found if path.is_file()]


@contextmanager
def listed_once() -> Iterator[None]:
    """Inside, `named` lists each folder once: a folder of pictures may hold millions, and every format
    looks for its files in it."""
    token = _LISTINGS.set({})
    try:
        yield
    finally:
        _LISTINGS.reset(token)


def _listed(folder: Path) -> dict[str, list[str]]:
    """Name in small letters -> the names in the folder that differ in the case of letters alone, all in
    order; empty where there is no such folder."""
    kept = _LISTINGS.get()
    if kept is not None and folder in kept:
        return kept[folder]
    found: dict[str, list[str]] = {}
    for name in sorted(os.listdir(folder)) if folder.is_dir() else ():
        found.setdefault(name.lower(), []).append(name)
    if kept is not None:
        kept[folder] = found
    return found
