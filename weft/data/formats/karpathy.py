"""The JSON files of Karpathy and Fei-Fei (2015) that carry the usual splits of Flickr and COCO."""

from pathlib import Path
from typing import Any

from weft.core.errors import DataError
from weft.core.files import open_file
from weft.core.media import Media
from weft.core.samples import Sample
from weft.data.formats._captions import caption_sample, column, pictures_of
from weft.data.formats._files import named, read_json
from weft.data.formats._rows import OnError, UniqueIds

NAME = "karpathy"
DESCRIPTION = "dataset_flickr8k.json, dataset_flickr30k.json, dataset_coco.json; restval is train"
NAMES = ("dataset_flickr8k.json", "dataset_flickr30k.json", "dataset_coco.json")


def detect(path: Path) -> bool:
    if path.is_dir():
        return bool(named(path, *NAMES))
    if not path.is_file() or path.suffix.lower() != ".json":
        return False
    with open_file(path) as file:
        head = file.read(1 << 14)
    return path.name.lower() in NAMES or (b'"sentences"' in head and b'"images"' in head)


def read(path: Path, on_error: OnError) -> list[Sample]:
    """One sample a picture with its raw sentences.

    The 30,504 COCO pictures of the split `restval` (the rest of the official validation set) count as training
    pictures, as usual.
    """
    file = next(iter(named(path, *NAMES)), path)
    images = column(read_json(file), "images", list, str(file))
    samples: list[Sample] = []
    ids = UniqueIds()
    names = [_name(row) for row in images if isinstance(row, dict)]
    folder = pictures_of(file.parent, names)
    for number, row in enumerate(images):
        source = f"{file}:images[{number}]"
        try:
            sample = _sample(row, folder, source)
            ids.claim(sample.id, source)
            samples.append(sample)
        except DataError as error:
            on_error(error)
    return samples


def _name(row: dict[str, Any]) -> str:
    return str(Path(str(row.get("filepath", "")), str(row.get("filename", ""))))


def _sample(row: Any, folder: Path, source: str) -> Sample:
    column(row, "filename", str, source)
    sentences = column(row, "sentences", list, source)
    captions = [column(sentence, "raw", str, source).strip() for sentence in sentences]
    split = str(row["split"]) if "split" in row else None
    name = _name(row)
    return caption_sample(
        name,
        Media.file(folder / name, "image", folder=folder),
        captions,
        "train" if split == "restval" else split,
        source,
    )
