"""JSON lines: one object a row."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from weft.core.errors import DataError
from weft.core.records import Sample
from weft.data.formats._files import lines, tables
from weft.data.formats._rows import OnError, known_split, select, table_samples

NAME = "jsonl"
DESCRIPTION = "one JSON object a line (image, captions, id, group, split, ...), pictures beside it"
SUFFIXES = (".jsonl", ".ndjson")
PREFERRED = "captions.jsonl"


def detect(path: Path) -> bool:
    if path.is_dir():
        return any(p.suffix.lower() in SUFFIXES for p in path.iterdir())
    return path.suffix.lower() in SUFFIXES and path.exists()


def read(path: Path, split: str | None, on_error: OnError) -> list[Sample]:
    """One sample a line; picture paths are relative to the file or to images/ beside it."""
    rows = [row for file in tables(path, SUFFIXES, PREFERRED) for row in _rows(file, on_error)]
    folder = path if path.is_dir() else path.parent
    return select(table_samples(rows, folder, on_error), split, path)


def _rows(path: Path, on_error: OnError) -> Iterator[tuple[str, dict[str, Any]]]:
    split = known_split(path.stem)
    for source, text in lines(path, on_error):
        try:
            row = json.loads(text)
        except (ValueError, RecursionError) as error:
            reason = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
            on_error(DataError(f"is not JSON: {reason}: {text[:60]!r}", source=source))
            continue
        if isinstance(row, dict):
            yield source, ({"split": split, **row} if split else row)
        else:
            on_error(DataError(f"holds {text[:60]!r}, expected a JSON object", source=source))
