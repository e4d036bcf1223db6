"""COCO's boxes as distributed: annotations/instances_train2017.json beside train2017/.

Captions come from captions_train2017.json, if it lies beside that file. A folder that also has captions is read as
`coco`, captions only, unless the user names this format.
"""

import fnmatch
import re
from pathlib import Path
from typing import Any

from weft.core.errors import DataError
from weft.core.media import Alternatives, Media
from weft.core.samples import Sample
from weft.data.formats import coco
from weft.data.formats._boxes import Size, region_items
from weft.data.formats._captions import column, key, name_in
from weft.data.formats._files import named, read_json
from weft.data.formats._rows import OnError, UniqueIds, known_split, picture_folder

NAME = "coco_instances"
DESCRIPTION = "instances_train2017.json (boxes, categories), pictures in train2017/ beside it"


def detect(path: Path) -> bool:
    if path.is_file():
        return fnmatch.fnmatchcase(path.name.lower(), "instances_*.json")
    return bool(_files(path)) and not coco.detect(path)


def read(path: Path, on_error: OnError) -> list[Sample]:
    """One sample a picture with boxes (shares of the picture) and classes (names of categories).

    `regions` holds both together. Crowds, whose box holds many objects, are left out, as usual in detection. A
    picture without boxes has empty lists. The split comes from the file's name.
    """
    ids = UniqueIds()
    files = [path] if path.is_file() else _files(path)
    return [sample for file in files for sample in _read_file(file, ids, on_error)]


def _read_file(file: Path, ids: UniqueIds, on_error: OnError) -> list[Sample]:
    content = read_json(file)
    images = column(content, "images", list, str(file))
    captions = _texts(file, on_error)
    split = known_split(_date(file))
    sizes = _sizes(file, images, on_error)
    found = _boxes(file, content, sizes, on_error)
    names = [str(row.get("file_name")) for row in images if isinstance(row, dict)]
    bases = (file.parent.parent, file.parent)
    places = [base / name for base in bases for name in (_date(file), "images")]
    folder = picture_folder([*places, file.parent], names)
    samples: list[Sample] = []
    for number, row in enumerate(images):
        source = f"{file}:images[{number}]"
        try:
            image_id = key(row, "id", source)
            if image_id not in sizes:
                continue  # reported with its size
            name = column(row, "file_name", str, source)
            identity = name_in(folder, _date(file), name)
            ids.claim(identity, source)
            boxes, classes = found[image_id]
            picture = Media.file(folder / name, "image", folder=folder)
            items: dict[str, Any] = {"image": picture, **region_items(boxes, classes)}
            if captions.get(image_id):
                items["text"] = Alternatives(captions[image_id])
            if split is not None:
                items["split"] = split
            samples.append(Sample(identity, identity, {**items, "image_id": image_id}, source))
        except DataError as error:
            on_error(error)
    return samples


def _sizes(file: Path, images: list[Any], on_error: OnError) -> dict[Any, Size]:
    """image id -> size, of those that have one."""
    sizes: dict[Any, Size] = {}
    for number, row in enumerate(images):
        source = f"{file}:images[{number}]"
        try:
            sizes[key(row, "id", source)] = Size.of(row, source)
        except DataError as error:
            on_error(error)
    return sizes


def _boxes(
    file: Path, content: Any, sizes: dict[Any, Size], on_error: OnError
) -> dict[Any, tuple[list[list[float]], list[str]]]:
    """image id -> its boxes and their classes."""
    categories = {
        key(row, "id", f"{file}:categories[{number}]"): column(
            row, "name", str, f"{file}:categories[{number}]"
        )
        for number, row in enumerate(column(content, "categories", list, str(file)))
    }
    found: dict[Any, tuple[list[list[float]], list[str]]] = {one: ([], []) for one in sizes}
    for number, row in enumerate(column(content, "annotations", list, str(file))):
        source = f"{file}:annotations[{number}]"
        try:
            image_id = key(row, "image_id", source)
            if row.get("iscrowd"):
                continue
            if image_id not in sizes:
                raise DataError(f"image {image_id} is not in images, or has no size", source=source)
            category = key(row, "category_id", source)
            if category not in categories:
                raise DataError(f"category {category} is not in categories", source=source)
            box = sizes[image_id].share(column(row, "bbox", list, source), source, cut=False)
            boxes, classes = found[image_id]
            boxes.append(box)
            classes.append(categories[category])
        except DataError as error:
            on_error(error)
    return found


def _texts(file: Path, on_error: OnError) -> dict[Any, list[str]]:
    """image id -> captions; none where there is no such file."""
    captions = _captions(file)
    return coco.captions_of(captions, read_json(captions), on_error) if captions.is_file() else {}


def _captions(file: Path) -> Path:
    name = f"captions_{_date(file)}.json"
    return next(iter(named(file.parent, name)), file.with_name(name))


def _date(file: Path) -> str:
    return re.sub("^instances_", "", file.stem, flags=re.IGNORECASE)


def _files(folder: Path) -> list[Path]:
    """instances_*.json in `folder` or in its annotations/."""
    return [p for base in (folder, folder / "annotations") for p in named(base, "instances_*.json")]
