"""Clotho (Drossos et al. 2020): clotho_captions_SPLIT.csv (file_name, caption_1 to caption_5), sounds in SPLIT/.

Its splits development, validation and evaluation are train, validation and test.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from weft.core.errors import DataError
from weft.core.media import Alternatives, Media
from weft.core.samples import Sample
from weft.data.formats._captions import column
from weft.data.formats._files import named
from weft.data.formats._rows import OnError, UniqueIds, picture_folder
from weft.data.formats._tables import csv_rows

NAME = "clotho"
DESCRIPTION = "Clotho: clotho_captions_development.csv (file_name, caption_1, ...), development/"
FILES = "clotho_captions_*.csv"
FOLDERS = (".", "clotho_csv_files", "csv")
SPLITS = {"development": "train", "validation": "validation", "evaluation": "test"}
SOUNDS = (".", "clotho_audio_files", "audio")


def detect(path: Path) -> bool:
    if path.is_dir():
        return bool(_files(path))
    return path.is_file() and path.name.lower().startswith("clotho_captions_")


def read(path: Path, on_error: OnError) -> list[Sample]:
    """One sample a sound with its captions. Items: audio, text, split."""
    files = _files(path) if path.is_dir() else [path]
    folder = path if path.is_dir() else path.parent
    return [sample for file in files for sample in _read_file(file, folder, on_error)]


def _files(folder: Path) -> list[Path]:
    return [file for name in FOLDERS for file in named(folder / name, FILES)]


def _read_file(file: Path, folder: Path, on_error: OnError) -> Iterator[Sample]:
    called = file.stem.lower().removeprefix("clotho_captions_")
    rows = list(csv_rows(file, on_error))
    names = [str(row.get("file_name")) for _, row in rows]
    places = [
        base / name / called
        for base in (folder, file.parent, file.parent.parent)
        for name in SOUNDS
    ]
    sounds, ids = picture_folder(places, names), UniqueIds()
    for source, row in rows:
        try:
            name = column(row, "file_name", str, source)
            ids.claim(name, source)
            items: dict[str, Any] = {
                "audio": Media.file(sounds / name, "audio", folder=folder),
                "text": _captions(row, source),
            }
            if called in SPLITS:
                items["split"] = SPLITS[called]
            yield Sample(f"{called}/{name}", f"{called}/{name}", items, source)
        except DataError as error:
            on_error(error)


def _captions(row: dict[str, Any], source: str) -> Alternatives:
    """Collects the columns caption_1, caption_2, ... Raises DataError if all are empty."""
    found = [text for key, text in row.items() if key.lower().startswith("caption_") and text]
    if not found:
        raise DataError("has no captions, expected caption_1 to caption_5", source=source)
    return Alternatives(found)
