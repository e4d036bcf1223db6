"""GRID (Cooke et al. 2006): videos of a face that says a sentence, with the time of each word.

As published: s1/ holds bbaf2n.mpg, and s1/align/, align/s1/, align/ or alignments/s1/ holds bbaf2n.align, with begin,
end (in 1/25000 s) and word in each line. Or as one table: clips.jsonl with {"clip", "id", "text", "words": [{"word", "start", "end"}],
"split"} in each line.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from weft.core.errors import DataError
from weft.core.files import open_file
from weft.core.media import Media
from weft.core.samples import Sample
from weft.data.formats._captions import column
from weft.data.formats._files import json_objects, lines, named
from weft.data.formats._rows import OnError, UniqueIds, split_name

NAME = "grid"
DESCRIPTION = "GRID: s1/bbaf2n.mpg and s1/align/bbaf2n.align, or clips.jsonl with clip, text, words"
SECOND = 25_000
"""Time units per second in an .align file."""
SILENT = ("sil", "sp")
SUFFIXES = (".mpg", ".mp4", ".avi")


def detect(path: Path) -> bool:
    return path.is_dir() and (_table(path) is not None or any(_aligned(path)))


def read(path: Path, on_error: OnError) -> list[Sample]:
    """One sample a clip, which is its own group.

    Items: video, audio (its sound track), text, words (with start and end in seconds), speaker, split.
    """
    table = _table(path)
    return list(_of_table(path, table, on_error) if table else _of_folders(path, on_error))


def _table(path: Path) -> Path | None:
    for file in named(path, "clips.jsonl"):
        with open_file(file) as opened:
            line = opened.readline(1 << 16)
        if b'"clip"' in line and b'"words"' in line:
            return file
    return None


def _of_table(path: Path, table: Path, on_error: OnError) -> Iterator[Sample]:
    ids = UniqueIds()
    for source, row in json_objects(table, on_error):
        try:
            name = column(row, "id", str, source)
            ids.claim(name, source)
            text = column(row, "text", str, source)
            words = column(row, "words", list, source)
            clip = path / column(row, "clip", str, source)
            split = row.get("split")
            yield _sample(
                name, clip, path, text, words, str(row.get("speaker", "s1")), split, source
            )
        except DataError as error:
            on_error(error)


def _of_folders(path: Path, on_error: OnError) -> Iterator[Sample]:
    for speaker, clip, align in _aligned(path):
        try:
            words = _words(align, on_error)
            text = " ".join(word["word"] for word in words)
            if not text:
                raise DataError("names no word", source=str(align))
            name = f"{speaker}/{clip.stem}"
            yield _sample(name, clip, path, text, words, speaker, None, str(align))
        except DataError as error:
            on_error(error)


def _aligned(path: Path) -> Iterator[tuple[str, Path, Path]]:
    """Yields (speaker, clip, its .align file) for every clip that has one."""
    folders = [path, *sorted(one for one in path.iterdir() if one.is_dir())]
    for folder in folders:
        for clip in sorted(folder.iterdir()) if folder.is_dir() else ():
            if clip.suffix.lower() not in SUFFIXES:
                continue
            for place in (
                folder / "align",
                folder.parent / "align",
                path / "align" / folder.name,
                path / "alignments" / folder.name,
            ):
                align = place / f"{clip.stem}.align"
                if align.is_file():
                    yield folder.name, clip, align
                    break


def _words(align: Path, on_error: OnError) -> list[dict[str, Any]]:
    found = []
    for source, line in lines(align, on_error):
        parts = line.split()
        if len(parts) != 3 or not (parts[0].isdigit() and parts[1].isdigit()):
            raise DataError(f"is {line[:60]!r}, expected begin, end and word", source=source)
        if parts[2] not in SILENT:
            begin, end = int(parts[0]) / SECOND, int(parts[1]) / SECOND
            found.append({"word": parts[2], "start": begin, "end": end})
    return found


def _sample(
    name: str,
    clip: Path,
    folder: Path,
    text: str,
    words: list[Any],
    speaker: str,
    split: Any,
    source: str,
) -> Sample:
    video = Media.file(clip, "video", folder=folder)
    items = {
        "video": video,
        "audio": video.of_kind("audio"),
        "text": text,
        "words": words,
        "speaker": speaker,
    }
    if split is not None:
        items["split"] = split_name(str(split))
    return Sample(name, name, items, source)
