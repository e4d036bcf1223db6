"""COCO captions as distributed: annotations/captions_train2017.json beside train2017/."""

import re
from pathlib import Path
from typing import Any

from weft.core.errors import DataError
from weft.core.files import open_file
from weft.core.media import Media
from weft.core.samples import Sample
from weft.data.formats._captions import caption_sample, column, key, name_in
from weft.data.formats._files import named, read_json
from weft.data.formats._rows import OnError, UniqueIds, known_split, picture_folder

NAME = "coco"
DESCRIPTION = "captions_train2017.json (images, annotations), pictures in train2017/ beside it"


def detect(path: Path) -> bool:
    if path.is_dir():
        return bool(_files(path))
    if not path.is_file() or path.suffix.lower() != ".json":
        return False
    with open_file(path) as file:
        ends = file.read(1 << 14)
        file.seek(max(0, path.stat().st_size - (1 << 14)))
        ends += file.read()
    if b'"answer_options"' in ends:  # dialogs about COCO's pictures have captions too
        return False
    return b'"caption"' in ends and b'"image_id"' in ends


def read(path: Path, on_error: OnError) -> list[Sample]:
    """One sample a picture with all its captions; the split comes from the file's name."""
    ids = UniqueIds()
    files = _files(path) if path.is_dir() else [path]
    return [sample for file in files for sample in _read_file(file, ids, on_error)]


def _read_file(file: Path, ids: UniqueIds, on_error: OnError) -> list[Sample]:
    content = read_json(file)
    images = column(content, "images", list, str(file))
    captions = captions_of(file, content, on_error)
    dated = re.sub("^captions_", "", file.stem, flags=re.IGNORECASE)
    names = [str(row.get("file_name")) for row in images if isinstance(row, dict)]
    places = [
        base / name for base in (file.parent.parent, file.parent) for name in (dated, "images")
    ]
    folder = picture_folder([*places, file.parent], names)
    samples: list[Sample] = []
    for number, row in enumerate(images):
        source = f"{file}:images[{number}]"
        try:
            name = column(row, "file_name", str, source)
            image_id = key(row, "id", source)
            texts = captions.pop(image_id, [])
            sample = caption_sample(
                name_in(folder, dated, name),
                Media.file(folder / name, "image", folder=folder),
                texts,
                known_split(dated),
                source,
                image_id=image_id,
            )
            ids.claim(sample.id, source)
            samples.append(sample)
        except DataError as error:
            on_error(error)
    for image_id in captions:
        on_error(
            DataError(f"captions of image {image_id}, which is not in images", source=str(file))
        )
    return samples


def captions_of(file: Path, content: Any, on_error: OnError) -> dict[int | str, list[str]]:
    """image id -> its captions, of the content of a file of captions."""
    captions: dict[int | str, list[str]] = {}
    for number, row in enumerate(column(content, "annotations", list, str(file))):
        source = f"{file}:annotations[{number}]"
        try:
            text = column(row, "caption", str, source)
            captions.setdefault(key(row, "image_id", source), []).append(text.strip())
        except DataError as error:
            on_error(error)
    return captions


def _files(folder: Path) -> list[Path]:
    """captions_*.json in `folder` or in its annotations/."""
    return [p for base in (folder, folder / "annotations") for p in named(base, "captions_*.json")]
