"""COCO's objects as distributed: annotations/instances_train2017.json, with the captions beside it.

Name the file: a folder that holds captions too is read for its captions alone.
"""

from collections import defaultdict
from pathlib import Path
from typing import Any

from weft.core.errors import DataError
from weft.core.records import Sample
from weft.data.formats._captions import column
from weft.data.formats._files import read_json
from weft.data.formats._rows import OnError, known_split, picture_folder, select

NAME = "coco_instances"
DESCRIPTION = (
    "instances_train2017.json (boxes, classes), captions_train2017.json, train2017/ beside it"
)


def detect(path: Path) -> bool:
    if path.is_file():
        return path.name.startswith("instances_") and path.suffix == ".json"
    captions = [*path.glob("captions_*.json"), *path.glob("annotations/captions_*.json")]
    return bool(_files(path)) and not captions


def read(path: Path, split: str | None, on_error: OnError) -> list[Sample]:
    """One sample a picture; the split comes from the file's name.

    Items: image; regions: boxes in pixels (left, top, width, height), classes, and width and height of
    the picture, crowds left out; text: the captions, where the file of captions is beside it; split.
    """
    files = [path] if path.is_file() else _files(path)
    samples = [sample for file in files for sample in _read_file(file, on_error)]
    return select(samples, split, path)


def _files(folder: Path) -> list[Path]:
    return sorted([*folder.glob("instances_*.json"), *folder.glob("annotations/instances_*.json")])


def _read_file(file: Path, on_error: OnError) -> list[Sample]:
    content = read_json(file)
    images = column(content, "images", list, str(file))
    names = {
        column(row, "id", int, str(file)): column(row, "name", str, str(file))
        for row in column(content, "categories", list, str(file))
    }
    found: dict[object, list[tuple[list[float], str]]] = defaultdict(list)
    for number, row in enumerate(column(content, "annotations", list, str(file))):
        source = f"{file}:annotations[{number}]"
        try:
            if not row.get("iscrowd"):
                found[column(row, "image_id", object, source)].append(_object(row, names, source))
        except DataError as error:
            on_error(error)
    captions = _captions(file, on_error)
    dated = file.stem.removeprefix("instances_")
    folders = [
        base / name for base in (file.parent.parent, file.parent) for name in (dated, "images")
    ]
    folder = picture_folder(folders, [str(row.get("file_name")) for row in images])
    samples: list[Sample] = []
    for number, row in enumerate(images):
        source = f"{file}:images[{number}]"
        try:
            image_id, name = (
                column(row, "id", object, source),
                column(row, "file_name", str, source),
            )
            items: dict[str, Any] = {
                "image": folder / name,
                "regions": {
                    "boxes": [box for box, _ in found[image_id]],
                    "classes": [kind for _, kind in found[image_id]],
                    "width": column(row, "width", int, source),
                    "height": column(row, "height", int, source),
                },
                "image_id": image_id,
            }
            if captions.get(image_id):
                items["text"] = captions[image_id]
            if (split := known_split(dated)) is not None:
                items["split"] = split
            samples.append(Sample(name, name, items, source))
        except DataError as error:
            on_error(error)
    return samples


def _object(row: Any, names: dict[int, str], source: str) -> tuple[list[float], str]:
    box, kind = column(row, "bbox", list, source), column(row, "category_id", int, source)
    if kind not in names:
        raise DataError(f"is of category {kind}, which is not in categories", source=source)
    return [float(value) for value in box], names[kind]


def _captions(file: Path, on_error: OnError) -> dict[object, list[str]]:
    beside = file.with_name(file.name.replace("instances_", "captions_", 1))
    found: dict[object, list[str]] = defaultdict(list)
    if not beside.is_file():
        return found
    for number, row in enumerate(column(read_json(beside), "annotations", list, str(beside))):
        source = f"{beside}:annotations[{number}]"
        try:
            text = column(row, "caption", str, source).strip()
            found[column(row, "image_id", object, source)].append(text)
        except DataError as error:
            on_error(error)
    return found
