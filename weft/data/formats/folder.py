"""A folder of pictures: captions in .txt files beside them, or a folder for each class."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from weft.core.errors import DataError
from weft.core.records import Sample
from weft.data.formats._files import read_text
from weft.data.formats._rows import PICTURE_SUFFIXES, SPLIT_NAMES, OnError, select, split_name

NAME = "folder"
DESCRIPTION = "pictures with a .txt of captions beside each, or one folder a class; train/, test/"


def detect(path: Path) -> bool:
    return path.is_dir() and next(_pictures(path), None) is not None


def read(path: Path, split: str | None, on_error: OnError) -> list[Sample]:
    """One sample a picture.

    Text is the list of the lines of the .txt file with the picture's stem. Pictures without one
    are labelled by the folder that they are in; in a folder with captions they are errors.
    Top folders named train, val, test, ... are splits.
    """
    pictures = sorted(_pictures(path))
    captioned = {p.parent for p in pictures if p.with_suffix(".txt").is_file()}
    samples: list[Sample] = []
    for picture in pictures:
        try:
            samples.append(_sample(picture, path, picture.parent in captioned))
        except DataError as error:
            on_error(error)
    return select(samples, split, path)


def _sample(picture: Path, root: Path, captioned: bool) -> Sample:
    name = picture.relative_to(root)
    folders = list(name.parts[:-1])
    items: dict[str, Any] = {"image": picture}
    if folders and folders[0].lower() in SPLIT_NAMES:
        items["split"] = split_name(folders.pop(0))
    if captioned:
        items["text"] = _captions(picture)
    elif folders:
        items["label"] = folders[0]
    return Sample(name.as_posix(), name.as_posix(), items, str(picture))


def _captions(picture: Path) -> list[str]:
    file = picture.with_suffix(".txt")
    if not file.is_file():
        raise DataError(f"has no captions: {file.name} does not exist", source=str(picture))
    captions = [line.strip() for line in read_text(file).splitlines() if line.strip()]
    if not captions:
        raise DataError("is empty, expected one caption a line", source=str(file))
    return captions


def _pictures(root: Path) -> Iterator[Path]:
    """All picture files below `root`, hidden ones left out."""
    for folder, subfolders, files in os.walk(root):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for name in files:
            if not name.startswith(".") and Path(name).suffix.lower() in PICTURE_SUFFIXES:
                yield Path(folder, name)
