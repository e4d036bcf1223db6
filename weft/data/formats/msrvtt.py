"""MSR-VTT (Xu et al. 2016): train_val_videodatainfo.json, test_videodatainfo.json or MSRVTT_data.json, videos video0.mp4.

A file holds `videos` (video_id, category, split, start time, end time of the original) and `sentences` (video_id,
caption). The videos are the clips themselves.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from weft.core.errors import DataError
from weft.core.files import open_file
from weft.core.media import Alternatives
from weft.core.samples import Sample
from weft.data.formats._captions import column
from weft.data.formats._files import named, read_json
from weft.data.formats._recordings import RecordingFiles
from weft.data.formats._rows import OnError, UniqueIds, split_name

NAME = "msrvtt"
DESCRIPTION = "MSR-VTT: *_videodatainfo.json or MSRVTT_data.json (videos, sentences), video0.mp4"
FILES = ("*videodatainfo*.json", "msrvtt*.json", "msr_vtt*.json")
FOLDERS = (".", "annotation", "annotations")
PROBED = 1 << 14
VALIDATION = "validate"
"""The data set's name for its validation split."""


def detect(path: Path) -> bool:
    return bool(_files(path)) if path.is_dir() else _fits(path)


def read(path: Path, on_error: OnError) -> list[Sample]:
    """One sample a video with all its captions. Items: video, text, category, split."""
    videos = RecordingFiles(path if path.is_dir() else path.parent, "video")
    ids = UniqueIds()
    files = _files(path) if path.is_dir() else [path]
    return [sample for file in files for sample in _read_file(file, videos, ids, on_error)]


def _files(folder: Path) -> list[Path]:
    return [f for name in FOLDERS for f in named(folder / name, *FILES) if _fits(f)]


def _fits(path: Path) -> bool:
    if not path.is_file() or path.suffix.lower() != ".json":
        return False
    with open_file(path) as file:
        ends = file.read(PROBED)
        file.seek(max(0, path.stat().st_size - PROBED))
        ends += file.read()
    return b'"video_id"' in ends and (b'"sentences"' in ends or b'"sen_id"' in ends)


def _read_file(
    file: Path, videos: RecordingFiles, ids: UniqueIds, on_error: OnError
) -> Iterator[Sample]:
    content = read_json(file)
    captions = _captions(file, content, on_error)
    for number, row in enumerate(column(content, "videos", list, str(file))):
        source = f"{file}:videos[{number}]"
        try:
            name = column(row, "video_id", str, source)
            texts = captions.pop(name, [])
            if not texts:
                raise DataError(f"{name} has no sentences", source=source)
            items: dict[str, Any] = {
                "video": videos.find([name], source),
                "text": Alternatives(texts),
            }
            if row.get("category") is not None:
                items["category"] = row["category"]
            if isinstance(split := row.get("split"), str):
                items["split"] = "validation" if split == VALIDATION else split_name(split)
            ids.claim(name, source)
            yield Sample(name, name, items, source)
        except DataError as error:
            on_error(error)
    for name in captions:
        on_error(DataError(f"sentences of {name}, which is not in videos", source=str(file)))


def _captions(file: Path, content: Any, on_error: OnError) -> dict[str, list[str]]:
    """video_id -> its captions."""
    found: dict[str, list[str]] = {}
    for number, row in enumerate(column(content, "sentences", list, str(file))):
        source = f"{file}:sentences[{number}]"
        try:
            text = column(row, "caption", str, source)
            found.setdefault(column(row, "video_id", str, source), []).append(text.strip())
        except DataError as error:
            on_error(error)
    return found
