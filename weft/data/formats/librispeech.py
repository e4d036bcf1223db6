"""LibriSpeech (Panayotov et al. 2015): SUBSET/SPEAKER/CHAPTER/ with SPEAKER-CHAPTER.trans.txt and .flac files.

Each line of the .trans.txt is the name of a recording, a blank and its transcript.
"""

from collections.abc import Iterator
from pathlib import Path

from weft.core.errors import DataError
from weft.core.media import Media
from weft.core.samples import Sample
from weft.data.formats._files import lines, named
from weft.data.formats._rows import OnError, UniqueIds, known_split

NAME = "librispeech"
DESCRIPTION = "LibriSpeech: dev-clean/84/121123/84-121123.trans.txt beside 84-121123-0000.flac"
TRANSCRIPTS = "*.trans.txt"


def detect(path: Path) -> bool:
    return path.is_dir() and next(_transcripts(path), None) is not None


def read(path: Path, on_error: OnError) -> list[Sample]:
    """One sample a recording; the group is the speaker. Items: audio, text, speaker, chapter, subset, split."""
    ids = UniqueIds()
    found = sorted(_transcripts(path))
    return [sample for file in found for sample in _read_file(file, ids, on_error)]


def _transcripts(path: Path) -> Iterator[Path]:
    """Yields the transcripts of all chapters. path: the folder of the whole set, of subsets, or of one subset,
    speaker or chapter."""
    level = [path]
    for _ in range(5):
        for folder in level:
            yield from named(folder, TRANSCRIPTS)
        level = [p for folder in level for p in sorted(folder.iterdir()) if p.is_dir()]


def _read_file(file: Path, ids: UniqueIds, on_error: OnError) -> Iterator[Sample]:
    chapter, speaker, subset = (folder.name for folder in file.parents[:3])
    for source, line in lines(file, on_error):
        name, _, words = line.strip().partition(" ")
        recording = next(iter(named(file.parent, f"{name}.flac", f"{name}.wav")), None)
        try:
            if recording is None:
                reason = (
                    f"is {line[:40]!r}, expected the name of a .flac file beside it and its words"
                )
                raise DataError(reason, source=source)
            ids.claim(name, source)
        except DataError as error:
            on_error(error)
            continue
        items = {
            "audio": Media.file(recording, "audio", folder=file.parent),
            "text": words.strip(),
            "speaker": speaker,
            "chapter": chapter,
            "subset": subset,
        }
        if (split := known_split(subset)) is not None:
            items["split"] = split
        yield Sample(name, speaker, items, source, match=name)
