"""NLVR (Suhr et al. 2017): a sentence, and a picture of three boxes in several orders.

As distributed: train/train.json with one object a line, and train/images/17/train-1234-0-3.png, whose last number is
the order. Or repacked: train.jsonl, which names its pictures in train_images.zip.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from weft.core.errors import DataError
from weft.core.kinds import suffix_of
from weft.core.media import Media
from weft.core.samples import Sample
from weft.data.formats._captions import column
from weft.data.formats._files import json_objects, named
from weft.data.formats._rows import OnError
from weft.data.formats._zip_members import ZipMember

NAME = "nlvr"
DESCRIPTION = "NLVR: train/train.json and train/images/, or train.jsonl and train_images.zip"
_SPLITS = {
    "train": "train",
    "dev": "validation",
    "test": "test",
    "test-p": "test",
    "test-h": "test-h",
}
ORDERS = 6
"""Maximum number of pictures of an example as distributed; those that exist are read."""


def detect(path: Path) -> bool:
    return bool(_tables(path))


def read(path: Path, on_error: OnError) -> list[Sample]:
    """One sample for each picture of a sentence; the group is the example with all its orders.

    Items: image, text, label (true or false), example, split.
    """
    samples: list[Sample] = []
    for table, pictures in _tables(path):
        split = _SPLITS[table.stem.lower()]
        read_table = _read_packed if pictures.is_file() else _read_distributed
        samples += read_table(table, pictures, split, on_error)
    return samples


def _tables(path: Path) -> list[tuple[Path, Path]]:
    """Returns (table, its folder or archive of pictures) for each split that exists."""
    found = []
    for split in _SPLITS:
        for archive in named(path, f"{split}_images.zip"):
            found += [(table, archive) for table in named(path, f"{split}.jsonl")]
        pictures = path / split / "images"
        if pictures.is_dir():
            found += [(table, pictures) for table in named(path / split, f"{split}.json")]
    return found


def _read_packed(table: Path, archive: Path, split: str, on_error: OnError) -> Iterator[Sample]:
    for source, row in json_objects(table, on_error):
        try:
            example = f"{split}-{column(row, 'id', str, source)}"
            for name in map(str, column(row, "images", list, source)):
                picture = Media("image", ZipMember(archive, name), suffix_of(name))
                yield _sample(row, Path(name).stem, picture, example, split, source)
        except DataError as error:
            on_error(error)


def _read_distributed(
    table: Path, pictures: Path, split: str, on_error: OnError
) -> Iterator[Sample]:
    for source, row in json_objects(table, on_error):
        try:
            identity = column(row, "identifier", str, source)
            folder = pictures / str(column(row, "directory", object, source))
            names = [
                folder / f"{table.stem.lower()}-{identity}-{order}.png" for order in range(ORDERS)
            ]
            there = [name for name in names if name.is_file()]
            if not there:
                raise DataError(f"has no picture: {names[0]} does not exist", source=source)
            for name in there:
                picture = Media.file(name, folder=pictures)
                yield _sample(row, name.stem, picture, f"{split}-{identity}", split, source)
        except DataError as error:
            on_error(error)


def _sample(
    row: dict[str, Any], identity: str, picture: Media, example: str, split: str, source: str
) -> Sample:
    items = {
        "image": picture,
        "text": column(row, "sentence", str, source),
        "label": truth(row, source),
        "example": example,
        "split": split,
    }
    return Sample(identity, example, items, source)


def truth(row: dict[str, Any], source: str) -> bool:
    """Returns the label: a boolean, or the words true or false."""
    label = column(row, "label", object, source)
    if isinstance(label, bool):
        return label
    if str(label).lower() in ("true", "false"):
        return str(label).lower() == "true"
    raise DataError(f"'label' holds {label!r:.60}, expected true or false", source=source)
