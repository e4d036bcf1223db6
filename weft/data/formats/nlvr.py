"""NLVR (Suhr et al. 2017): a sentence, and a picture of three boxes in several orders.

As distributed: train/train.json with an object a line, train/images/17/train-1234-0-3.png with the
number of the order last. Or repacked: train.jsonl that names its pictures, in train_images.zip.
"""

import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weft.core.errors import DataError
from weft.core.records import Sample
from weft.data.formats._captions import column
from weft.data.formats._files import json_objects, named
from weft.data.formats._rows import OnError

NAME = "nlvr"
DESCRIPTION = "NLVR: train/train.json and train/images/, or train.jsonl and train_images.zip"
_SPLITS = {
    "train": "train",
    "dev": "validation",
    "test": "test",
    "test-p": "test",
    "test-h": "test-h",
}
_DAMAGE = (OSError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)
ORDERS = 6
"""Pictures of an example as distributed; those that are there are read."""


@dataclass(frozen=True)
class _Row:
    """One sentence with one of its pictures: a file, or a member of an archive."""

    sentence: str
    label: bool
    example: str
    picture: Path | str
    split: str
    source: str


def detect(path: Path) -> bool:
    return bool(_tables(path))


def read(path: Path, on_error: OnError) -> "NLVR":
    """One sample for each picture of a sentence; the group is the example, in all of its orders.

    Items: image, text, label (true or false), example, split.
    """
    rows: list[_Row] = []
    archives: dict[str, Path] = {}
    for table, pictures in _tables(path):
        name = _SPLITS[table.stem.lower()]
        if pictures.is_file():
            archives[name] = pictures
            rows += _read_packed(table, name, on_error)
        else:
            rows += _read_distributed(table, pictures, name, on_error)
    return NLVR(rows, archives)


class NLVR(Sequence[Sample]):
    """Samples whose pictures are read when they are asked for."""

    def __init__(self, rows: Sequence[_Row], archives: dict[str, Path]) -> None:
        self._rows = rows
        self.splits = [row.split for row in rows]
        self._archives = archives
        self._open: dict[str, zipfile.ZipFile] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Sample:  # type: ignore[override]
        row = self._rows[index]
        name = row.picture.name if isinstance(row.picture, Path) else row.picture
        items = {
            "image": row.picture if isinstance(row.picture, Path) else self._bytes(row),
            "text": row.sentence,
            "label": row.label,
            "example": row.example,
            "split": row.split,
        }
        return Sample(Path(name).stem, row.example, items, row.source)

    def _bytes(self, row: _Row) -> bytes:
        archive = self._archives[row.split]
        try:
            if row.split not in self._open:
                self._open[row.split] = zipfile.ZipFile(archive)
            return self._open[row.split].read(str(row.picture))
        except KeyError:
            raise DataError(f"{archive.name} has no {row.picture}", source=row.source) from None
        except _DAMAGE as error:
            raise DataError(f"{archive} cannot be read: {error}", source=row.source) from None

    def __reduce__(self) -> tuple[type["NLVR"], tuple[Sequence[_Row], dict[str, Path]]]:
        return NLVR, (self._rows, self._archives)


def _tables(path: Path) -> list[tuple[Path, Path]]:
    """(table, its folder or archive of pictures) of each split that may be there."""
    found = []
    for split in _SPLITS:
        for archive in named(path, f"{split}_images.zip"):
            found += [(table, archive) for table in named(path, f"{split}.jsonl")]
        pictures = path / split / "images"
        if pictures.is_dir():
            found += [(table, pictures) for table in named(path / split, f"{split}.json")]
    return found


def _read_packed(table: Path, split: str, on_error: OnError) -> Iterator[_Row]:
    for source, row in json_objects(table, on_error):
        try:
            sentence, label = column(row, "sentence", str, source), truth(row, source)
            example = f"{split}-{column(row, 'id', str, source)}"
            for picture in column(row, "images", list, source):
                yield _Row(sentence, label, example, str(picture), split, source)
        except DataError as error:
            on_error(error)


def _read_distributed(table: Path, pictures: Path, split: str, on_error: OnError) -> Iterator[_Row]:
    for source, row in json_objects(table, on_error):
        try:
            sentence, label = column(row, "sentence", str, source), truth(row, source)
            identity = column(row, "identifier", str, source)
            folder = pictures / str(column(row, "directory", object, source))
            names = [folder / f"{table.stem}-{identity}-{order}.png" for order in range(ORDERS)]
            there = [name for name in names if name.is_file()]
            if not there:
                raise DataError(f"has no picture: {names[0]} does not exist", source=source)
            for name in there:
                yield _Row(sentence, label, f"{split}-{identity}", name, split, source)
        except DataError as error:
            on_error(error)


def truth(row: dict[str, Any], source: str) -> bool:
    """The label: true or false, as such or in words."""
    label = column(row, "label", object, source)
    if isinstance(label, bool):
        return label
    if str(label).lower() in ("true", "false"):
        return str(label).lower() == "true"
    raise DataError(f"'label' holds {label!r:.60}, expected true or false", source=source)
