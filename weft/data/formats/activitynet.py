"""ActivityNet Captions (Krishna et al. 2017): train.json, val_1.json, val_2.json, and videos named v_ID.mp4.

Each file maps the id of a video to its duration, timestamps [[start, end], ...] in seconds and as many sentences.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from weft.core.errors import DataError
from weft.core.files import open_file
from weft.core.samples import Sample
from weft.data.formats._captions import column
from weft.data.formats._files import named, read_json
from weft.data.formats._recordings import RecordingFiles
from weft.data.formats._rows import OnError, known_split

NAME = "activitynet"
DESCRIPTION = (
    "ActivityNet Captions: train.json, val_1.json (timestamps, sentences), videos v_ID.mp4"
)
FILES = ("train.json", "val_1.json", "val_2.json", "val.json", "test.json")
FOLDERS = (".", "captions", "annotations")


def detect(path: Path) -> bool:
    return any(map(_fits, _files(path) if path.is_dir() else [path]))


def read(path: Path, on_error: OnError) -> list[Sample]:
    """One sample a sentence; the group is the video, and a sentence matches its part of the video.

    Items: video (the part), text, duration (seconds of the video), split.
    """
    files = [file for file in (_files(path) if path.is_dir() else [path]) if _fits(file)]
    videos = RecordingFiles(path if path.is_dir() else path.parent, "video")
    return [sample for file in files for sample in _read_file(file, videos, on_error)]


def _files(folder: Path) -> list[Path]:
    return [file for name in FOLDERS for file in named(folder / name, *FILES)]


def _fits(path: Path) -> bool:
    if not path.is_file() or path.suffix.lower() != ".json":
        return False
    with open_file(path) as file:
        head = file.read(1 << 14)
    return b'"timestamps"' in head and b'"sentences"' in head


def _read_file(file: Path, videos: RecordingFiles, on_error: OnError) -> Iterator[Sample]:
    content = read_json(file)
    if not isinstance(content, dict):
        raise DataError("is not a JSON object of videos", source=str(file))
    for name, told in content.items():
        source = f"{file}:{name}"
        try:
            clips = list(_clips(told, source))
            video = videos.find([name, name.removeprefix("v_")], source)
        except DataError as error:
            on_error(error)
            continue
        for number, (start, end, sentence) in enumerate(clips):
            place = f"{source}[{number}]"
            if not 0 <= start < end:
                reason = f"its part is {start:g} s to {end:g} s, expected an end after the start"
                on_error(DataError(reason, source=place))
                continue
            items = {
                "video": video.part(start, end),
                "text": sentence.strip(),
                "duration": told.get("duration"),
            }
            if (split := known_split(file.stem)) is not None:
                items["split"] = split
            identity = f"{file.stem}/{name}#{number}"
            yield Sample(identity, name, items, place, match=identity)


def _clips(told: Any, source: str) -> Iterator[tuple[float, float, str]]:
    """Yields (start, end, sentence). Raises DataError if the counts of timestamps and sentences differ."""
    times = column(told, "timestamps", list, source)
    sentences = column(told, "sentences", list, source)
    if len(times) != len(sentences):
        reason = f"has {len(times)} timestamps and {len(sentences)} sentences, expected as many"
        raise DataError(reason, source=source)
    for time, sentence in zip(times, sentences, strict=True):
        numbers = isinstance(time, list) and len(time) == 2
        if not numbers or not all(isinstance(t, int | float) for t in time):
            raise DataError(f"a timestamp is {time!r:.60}, expected [start, end]", source=source)
        if not isinstance(sentence, str):
            raise DataError(f"a sentence is {sentence!r:.60}, expected a text", source=source)
        yield float(time[0]), float(time[1]), sentence
