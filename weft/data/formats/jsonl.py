"""JSON lines, or a JSON list: one object a row."""

from pathlib import Path

from weft.data.formats._rows import OnError, TableRows, known_split
from weft.data.formats._said import NOTHING_SAID, Said
from weft.data.formats._table_samples import table_samples
from weft.data.formats._tables import JSON_SUFFIXES, has_tables, json_rows, tables, with_split

NAME = "jsonl"
DESCRIPTION = "one JSON object a line, or a list of them in .json (image, captions, id, group, match, split, ...), pictures beside it"
PREFERRED = "captions.jsonl"


def detect(path: Path) -> bool:
    return has_tables(path, JSON_SUFFIXES)


def read(path: Path, on_error: OnError, said: Said = NOTHING_SAID) -> TableRows:
    """One sample a line; picture paths are relative to the file or to images/ beside it."""
    rows = (
        (source, with_split(row, known_split(file.stem)))
        for file in tables(path, JSON_SUFFIXES, PREFERRED)
        for source, row in json_rows(file, on_error, said.encoding)
    )
    return table_samples(rows, path if path.is_dir() else path.parent, on_error, said=said)
