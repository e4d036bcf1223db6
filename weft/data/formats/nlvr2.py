"""NLVR2 (Suhr et al. 2019): a sentence about two photographs, left and right.

As distributed: data/train.json with an object a line, whose identifier train-10171-0-0 names the
photographs train-10171-0-img0.png and -img1.png, in images/train/DIRECTORY/ or in dev/ and test1/.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from weft.core.errors import DataError
from weft.core.files import open_file
from weft.core.media import Media
from weft.core.samples import Sample
from weft.data.formats._captions import column
from weft.data.formats._files import json_objects, named
from weft.data.formats._rows import OnError
from weft.data.formats.nlvr import truth

NAME = "nlvr2"
DESCRIPTION = "NLVR2: data/train.json (identifier, sentence, label), images/train/DIRECTORY/, dev/"
_TABLES = {"train": "train", "dev": "validation", "test1": "test", "test2": "test2"}


def detect(path: Path) -> bool:
    return any(map(_names_photographs, _tables(path).values()))


def read(path: Path, on_error: OnError) -> list[Sample]:
    """One sample a sentence; the group is the set of photographs that it was written for.

    Items: image (left), image2 (right), text, label (true or false), split.
    """
    return [
        sample
        for name, table in _tables(path).items()
        for sample in _read_table(path, name, table, on_error)
    ]


def _tables(path: Path) -> dict[str, Path]:
    folder = path / "data" if (path / "data").is_dir() else path
    return {name: table for name in _TABLES for table in named(folder, f"{name}.json")}


def _names_photographs(table: Path) -> bool:
    with open_file(table) as file:
        start = file.read(4096)
    return b'"identifier"' in start and b'"left_url"' in start


def _read_table(path: Path, name: str, table: Path, on_error: OnError) -> Iterator[Sample]:
    for source, row in json_objects(table, on_error):
        try:
            yield _sample(path, name, row, source)
        except DataError as error:
            on_error(error)


def _sample(path: Path, name: str, row: dict[str, Any], source: str) -> Sample:
    identity = column(row, "identifier", str, source)
    parts = identity.split("-")
    if len(parts) != 4:
        reason = f"'identifier' is '{identity}', expected SPLIT-SET-PAIR-SENTENCE"
        raise DataError(reason, source=source)
    stem = "-".join(parts[:3])
    left, right = (_photograph(path, name, row, f"{stem}-img{side}.png", source) for side in (0, 1))
    items = {
        "image": left,
        "image2": right,
        "text": column(row, "sentence", str, source).strip(),
        "label": truth(row, source),
        "split": _TABLES[name],
    }
    return Sample(identity, "-".join(parts[:2]), items, source)


def _photograph(path: Path, name: str, row: dict[str, Any], file: str, source: str) -> Media:
    folder = str(row.get("directory", ""))
    places = [path / "images" / name / folder, path / "images" / name, path / name]
    found = next((place / file for place in places if (place / file).is_file()), None)
    if found is None:
        raise DataError(
            f"photograph {file} is in none of {', '.join(map(str, places))}", source=source
        )
    return Media.file(found, folder=path)
