"""Visual Genome (Krishna et al. 2017): pictures with objects and phrases for their regions.

image_data.json, and what there is of objects.json, attributes.json and region_descriptions.json; the
pictures in VG_100K/ and VG_100K_2/, or in images/.
"""

from collections.abc import Iterator
from numbers import Real
from pathlib import Path
from typing import Any

from weft.core.errors import DataError
from weft.core.records import Sample
from weft.data.formats._captions import column
from weft.data.formats._files import read_json
from weft.data.formats._rows import OnError, select

NAME = "visual_genome"
DESCRIPTION = "Visual Genome: image_data.json, objects.json, region_descriptions.json, VG_100K/"
FOLDERS = ("VG_100K", "VG_100K_2", "images", "images2")


def detect(path: Path) -> bool:
    return (path / "image_data.json").is_file()


def read(path: Path, split: str | None, on_error: OnError) -> list[Sample]:
    """One sample a picture of image_data.json.

    Items: image; regions: boxes in pixels (left, top, width, height), classes, attributes, and width and
    height of the picture, where objects.json has it; text: the phrases of its regions, and
    text_boxes: theirs, where region_descriptions.json has it.
    """
    objects = _by_picture(path / "objects.json", "image_id", "objects", on_error)
    attributes = _by_picture(path / "attributes.json", "image_id", "attributes", on_error)
    phrases = _by_picture(path / "region_descriptions.json", "id", "regions", on_error)
    samples: list[Sample] = []
    table = path / "image_data.json"
    for number, row in enumerate(read_json(table)):
        source = f"{table}:[{number}]"
        try:
            image_id = column(row, "image_id", int, source)
            items: dict[str, Any] = {"image": _picture(path, image_id)}
            if image_id in objects:
                known = dict(_attributes(attributes.get(image_id, ("", []))))
                items["regions"] = _regions(row, *objects[image_id], known, source)
            if image_id in phrases:
                items |= _texts(*phrases[image_id])
            samples.append(Sample(str(image_id), str(image_id), items, source))
        except DataError as error:
            on_error(error)
    return select(samples, split, path)


Found = tuple[str, list[Any]]
"""Where the rows of a picture stand, and the rows."""


def _by_picture(file: Path, key: str, rows: str, on_error: OnError) -> dict[int, Found]:
    """Picture -> its rows in `file`; empty where there is no such file."""
    found: dict[int, Found] = {}
    if not file.is_file():
        return found
    for number, entry in enumerate(read_json(file)):
        source = f"{file}:[{number}]"
        try:
            found[column(entry, key, int, source)] = source, column(entry, rows, list, source)
        except DataError as error:
            on_error(error)
    return found


def _regions(
    picture: Any, source: str, objects: list[Any], known: dict[int, list[str]], where: str
) -> dict[str, Any]:
    boxes: list[list[float]] = []
    classes: list[str] = []
    attributes: list[list[str]] = []
    for number, thing in enumerate(objects):
        place = f"{source}.objects[{number}]"
        names = column(thing, "names", list, place)
        if not names:
            raise DataError("has no name", source=place)
        boxes.append(_box(thing, ("x", "y", "w", "h"), place))
        classes.append(str(names[0]))
        attributes.append(known.get(thing.get("object_id"), []))
    return {
        "boxes": boxes,
        "classes": classes,
        "attributes": attributes,
        "width": column(picture, "width", int, where),
        "height": column(picture, "height", int, where),
    }


def _attributes(found: Found) -> Iterator[tuple[int, list[str]]]:
    source, rows = found
    for number, thing in enumerate(rows):
        place = f"{source}.attributes[{number}]"
        names = thing.get("attributes") or [] if isinstance(thing, dict) else []
        yield column(thing, "object_id", int, place), [str(name) for name in names]


def _texts(source: str, regions: list[Any]) -> dict[str, Any]:
    texts, boxes = [], []
    for number, region in enumerate(regions):
        place = f"{source}.regions[{number}]"
        phrase = column(region, "phrase", str, place).strip()
        if phrase:
            texts.append(phrase)
            boxes.append(_box(region, ("x", "y", "width", "height"), place))
    return {"text": texts, "text_boxes": boxes} if texts else {}


def _box(row: Any, names: tuple[str, ...], source: str) -> list[float]:
    numbers = [column(row, name, Real, source) for name in names]
    return [float(value) for value in numbers]


def _picture(path: Path, image_id: int) -> Path:
    places = [path / folder / f"{image_id}.jpg" for folder in FOLDERS]
    return next((place for place in places if place.is_file()), places[0])
