"""AudioCaps (Kim et al. 2019): train.csv, val.csv, test.csv (audiocap_id, youtube_id, start_time, caption) and its
sounds.

The sound files are the clips of 10 s themselves. Their names are the audiocap_id or the youtube_id. A youtube_id may
have a Y before it and the start in seconds or milliseconds behind it.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from weft.core.errors import DataError
from weft.core.files import open_file
from weft.core.samples import Sample
from weft.data.formats._captions import column
from weft.data.formats._files import named
from weft.data.formats._recordings import RecordingFiles
from weft.data.formats._rows import OnError, UniqueIds, known_split
from weft.data.formats._tables import csv_rows

NAME = "audiocaps"
DESCRIPTION = (
    "AudioCaps: train.csv, val.csv, test.csv (audiocap_id, youtube_id, start_time, caption)"
)
FILES = ("train.csv", "val.csv", "test.csv")
FOLDERS = (".", "dataset", "metadata")
SECONDS = 10


def detect(path: Path) -> bool:
    return bool(_files(path)) if path.is_dir() else _fits(path)


def read(path: Path, on_error: OnError) -> list[Sample]:
    """One sample a caption; captions of one clip match it and each other.

    Items: audio, text, youtube_id, start_time (seconds of the clip in its video), split.
    """
    sounds = RecordingFiles(path if path.is_dir() else path.parent, "audio")
    ids = UniqueIds()
    files = _files(path) if path.is_dir() else [path]
    return [sample for file in files for sample in _read_file(file, sounds, ids, on_error)]


def _files(folder: Path) -> list[Path]:
    return [f for name in FOLDERS for f in named(folder / name, *FILES) if _fits(f)]


def _fits(path: Path) -> bool:
    if not path.is_file() or path.suffix.lower() != ".csv":
        return False
    with open_file(path) as file:
        header = file.readline(1 << 10).lower()
    return all(name in header for name in (b"audiocap_id", b"youtube_id", b"caption"))


def _read_file(
    file: Path, sounds: RecordingFiles, ids: UniqueIds, on_error: OnError
) -> Iterator[Sample]:
    for source, row in csv_rows(file, on_error):
        try:
            yield _sample(file, row, sounds, ids, source)
        except DataError as error:
            on_error(error)


def _sample(
    file: Path, row: dict[str, Any], sounds: RecordingFiles, ids: UniqueIds, source: str
) -> Sample:
    name, video, start, caption = (
        column(row, key, str, source)
        for key in ("audiocap_id", "youtube_id", "start_time", "caption")
    )
    if not start.isdigit():
        raise DataError(f"'start_time' is {start!r:.40}, expected whole seconds", source=source)
    first, last = int(start), int(start) + SECONDS
    own = (video, f"{video}_{first}", f"{video}_{1000 * first}_{1000 * last}")
    dotted = f"{video}_{first:.3f}_{last:.3f}"
    media = sounds.find([*own, dotted, *(f"Y{each}" for each in (*own, dotted)), name], source)
    ids.claim(name, source)
    items = {"audio": media, "text": caption, "youtube_id": video, "start_time": first}
    if (split := known_split(file.stem)) is not None:
        items["split"] = split
    return Sample(name, video, items, source)
