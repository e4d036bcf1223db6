"""ESC-50 and ESC-10 (Piczak 2015): clips of environmental sounds in five folds, their table and audio/.

The table is meta/esc50.csv of the published archive, or meta.csv beside audio/, with the columns filename, fold,
category, and src_file or freesound_clip: the recording that the clip was cut from.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from weft.core.errors import DataError
from weft.core.files import open_file
from weft.core.media import Media
from weft.core.samples import Sample
from weft.data.formats._captions import column
from weft.data.formats._files import named
from weft.data.formats._rows import OnError, UniqueIds
from weft.data.formats._tables import csv_rows

NAME = "esc50"
DESCRIPTION = "ESC-50, ESC-10: meta/esc50.csv or meta.csv (filename, fold, category), audio/"
RECORDING = ("src_file", "freesound_clip")
NEEDED = (b"filename", b"fold", b"category")


def detect(path: Path) -> bool:
    return path.is_dir() and _table(path) is not None


def read(path: Path, on_error: OnError) -> list[Sample]:
    """One sample a clip; the group is the recording from which it was cut. Clips of one category match each other:
    they have the same text.

    Items: audio, label (the category), text (the same in words), fold, and the other columns of the table.
    """
    table = _table(path)
    return [] if table is None else list(_samples(path, table, on_error))


def _table(path: Path) -> Path | None:
    for file in (*named(path / "meta", "esc50.csv"), *named(path, "meta.csv", "esc50.csv")):
        with open_file(file) as opened:
            header = opened.readline(1 << 14).lower()
        if all(name in header for name in NEEDED):
            return file
    return None


def _samples(path: Path, table: Path, on_error: OnError) -> Iterator[Sample]:
    ids = UniqueIds()
    for source, row in csv_rows(table, on_error):
        try:
            yield _sample(path, row, source, ids)
        except DataError as error:
            on_error(error)


def _sample(path: Path, row: dict[str, Any], source: str, ids: UniqueIds) -> Sample:
    name = column(row, "filename", str, source)
    label = column(row, "category", str, source)
    fold = column(row, "fold", str, source)
    ids.claim(name, source)
    recording = next((row[one] for one in RECORDING if row.get(one)), name)
    items = {
        "audio": Media.file(path / "audio" / name, "audio", folder=path / "audio"),
        "label": label,
        "text": label.replace("_", " "),
        "fold": fold,
        **{key: value for key, value in row.items() if key not in ("filename", "category", "fold")},
    }
    return Sample(name, str(recording), items, source, match=label)
