"""easy-VQA (Victor Zhou): questions about one coloured shape, in arrays or as in the published package.

In arrays: each line of train_questions.jsonl is {"image": number, "question", "answer"}, and that number is a row of
the array `images` (N, 64, 64, 3) in train_images.npz. In the package: train/questions.json lists [question, answer,
number], with train/images/0.png, ...
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from weft.core.errors import DataError, WeftError
from weft.core.files import open_file
from weft.core.media import Media
from weft.core.samples import Sample
from weft.data.formats._captions import column
from weft.data.formats._files import json_objects, named, read_json
from weft.data.formats._questions import question_sample
from weft.data.formats._rows import OnError

NAME = "easy_vqa"
DESCRIPTION = "easy-VQA: train_questions.jsonl and train_images.npz, or train/questions.json"
SPLITS = ("train", "test")

Row = tuple[str, Any, Any, Any]
"""Source, number of the picture, question, answer."""


def detect(path: Path) -> bool:
    return any(_table(path, split) is not None for split in SPLITS)


def read(path: Path, on_error: OnError) -> list[Sample]:
    """One sample a question; the group is the picture."""
    samples: list[Sample] = []
    for name in SPLITS:
        table = _table(path, name)
        if table is not None:
            samples += _read_split(table, name, on_error)
    return samples


def _table(path: Path, split: str) -> Path | None:
    """The file with the questions of that split."""
    arrays = named(path, f"{split}_questions.jsonl")
    if arrays and named(path, f"{split}_images.npz"):
        return arrays[0]
    package = named(path / split, "questions.json")
    return package[0] if package and (path / split / "images").is_dir() else None


def _read_split(table: Path, split: str, on_error: OnError) -> Iterator[Sample]:
    as_arrays = table.suffix.lower() == ".jsonl"
    rows = _lines(table, on_error) if as_arrays else _entries(table, on_error)
    images = _images(named(table.parent, f"{split}_images.npz")[0]) if as_arrays else None
    for number, (source, image, question, answer) in enumerate(rows):
        try:
            row = {"question": question, "answer": answer, "image": image}
            group = f"{split}-{column(row, 'image', int, source)}"
            yield question_sample(
                f"{split}-{number}",
                group,
                Media.file(table.parent / "images" / f"{image}.png")
                if images is None
                else _row_of(images, image, source),
                column(row, "question", str, source),
                split,
                source,
                answer=column(row, "answer", str, source),
            )
        except DataError as error:
            on_error(error)


def _lines(table: Path, on_error: OnError) -> Iterator[Row]:
    for source, row in json_objects(table, on_error):
        try:
            yield source, *(column(row, n, object, source) for n in ("image", "question", "answer"))
        except DataError as error:
            on_error(error)


def _entries(table: Path, on_error: OnError) -> Iterator[Row]:
    content = read_json(table)
    if not isinstance(content, list):
        raise DataError(f"holds a {type(content).__name__}, expected a list", source=str(table))
    for number, entry in enumerate(content):
        source = f"{table}:[{number}]"
        if isinstance(entry, list) and len(entry) == 3:
            yield source, entry[2], entry[0], entry[1]
        else:
            reason = f"is {entry!r:.60}, expected [question, answer, number of the picture]"
            on_error(DataError(reason, source=source))


def _images(path: Path) -> list[Media]:
    """Returns N pictures (H, W, 3) uint8; all questions about a picture share it."""
    try:
        with open_file(path) as file, np.load(file, allow_pickle=False) as arrays:
            images: np.ndarray = arrays["images"]
    except Exception as error:  # a damaged file makes numpy and zipfile raise nearly any exception
        raise WeftError(
            f"{path}: cannot be read as arrays, one of them named images: {error}"
        ) from None
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3:
        raise WeftError(
            f"{path}: images is {images.dtype} {images.shape}, expected uint8 of (N, H, W, 3)"
        )
    return [Media.array_of(image, "image") for image in images]


def _row_of(images: Sequence[Media], image: int, source: str) -> Media:
    if not 0 <= image < len(images):
        reason = f"asks about picture {image}, but there are pictures 0 to {len(images) - 1}"
        raise DataError(reason, source=source)
    return images[image]
