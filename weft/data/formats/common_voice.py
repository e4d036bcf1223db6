"""Mozilla Common Voice: train.tsv, dev.tsv, test.tsv (client_id, path, sentence, ...) beside clips/, of one language.

The tables use no quoting: a quotation mark is part of the sentence.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from weft.core.errors import DataError
from weft.core.files import open_file
from weft.core.media import Media
from weft.core.samples import Sample
from weft.data.formats._files import lines, named
from weft.data.formats._rows import OnError, UniqueIds, known_split

NAME = "common_voice"
DESCRIPTION = "Common Voice: train.tsv, dev.tsv, test.tsv (client_id, path, sentence), clips/"
FILES = ("train.tsv", "dev.tsv", "test.tsv")
NEEDED = ("client_id", "path", "sentence")


def detect(path: Path) -> bool:
    return bool(_files(path)) if path.is_dir() else _fits(path)


def read(path: Path, on_error: OnError) -> list[Sample]:
    """One sample a clip; the group is the speaker. Items: audio, text, speaker, the table's other columns, split.

    In a folder, train.tsv, dev.tsv and test.tsv are read. To read validated.tsv or other.tsv, give its path.
    """
    ids = UniqueIds()
    files = _files(path) if path.is_dir() else [path]
    return [sample for file in files for sample in _read_file(file, ids, on_error)]


def _files(folder: Path) -> list[Path]:
    return [file for file in named(folder, *FILES) if _fits(file)]


def _fits(path: Path) -> bool:
    if not path.is_file() or path.suffix.lower() != ".tsv":
        return False
    with open_file(path) as file:
        header = file.readline(1 << 12).decode("utf-8", "replace").rstrip("\r\n").split("\t")
    return set(NEEDED) <= set(header)


def _read_file(file: Path, ids: UniqueIds, on_error: OnError) -> Iterator[Sample]:
    names: list[str] = []
    for source, line in lines(file, on_error):
        cells = line.split("\t")
        if not names:
            names = cells
            continue
        try:
            if len(cells) != len(names):
                reason = f"has {len(cells)} cells, expected {len(names)}: {', '.join(names)}"
                raise DataError(reason, source=source)
            yield _sample(file, dict(zip(names, cells, strict=True)), ids, source)
        except DataError as error:
            on_error(error)


def _sample(file: Path, row: dict[str, str], ids: UniqueIds, source: str) -> Sample:
    speaker, name, sentence = (row.pop(key).strip() for key in NEEDED)
    for key, value in zip(NEEDED, (speaker, name, sentence), strict=True):
        if not value:
            raise DataError(f"has no '{key}'", source=source)
    ids.claim(name, source)
    folder = file.parent / "clips"
    items: dict[str, Any] = {
        "audio": Media.file(folder / name, "audio", folder=folder),
        "text": sentence,
        "speaker": speaker,
        **{key: value for key, value in row.items() if value},
    }
    if (split := known_split(file.stem)) is not None:
        items["split"] = split
    return Sample(name, speaker, items, source, match=name)
