"""Visual Genome (Krishna et al. 2017) as distributed: pictures with objects and phrases for regions.

image_data.json, region_descriptions.json and objects.json, with attributes.json if it exists. The pictures lie in
VG_100K/ and VG_100K_2/, or in images/, named after their number (1.jpg).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weft.core.errors import DataError, WeftError
from weft.core.media import Alternatives, Media
from weft.core.samples import Sample
from weft.data.formats._boxes import Size, region_items
from weft.data.formats._captions import column
from weft.data.formats._files import named, read_json
from weft.data.formats._rows import OnError, UniqueIds

NAME = "visual_genome"
DESCRIPTION = "image_data.json, region_descriptions.json, objects.json; VG_100K/ and VG_100K_2/"
IMAGES, PHRASES, OBJECTS = "image_data.json", "region_descriptions.json", "objects.json"
ATTRIBUTES = "attributes.json"
FILES = (IMAGES, PHRASES, OBJECTS, ATTRIBUTES)
FOLDERS = ("VG_100K", "VG_100K_2", "images", "images2")


def detect(path: Path) -> bool:
    folder = path if path.is_dir() else path.parent
    known = (IMAGES, PHRASES, OBJECTS)
    if not path.is_dir() and path.name.lower() not in known:
        return False
    images, *others = (named(folder, name) for name in known)
    return bool(images) and any(others)


def read(path: Path, on_error: OnError) -> list[Sample]:
    """One sample a picture; the data set has no splits of its own.

    Items: image; text: the phrases about its regions, with one box each in text_boxes; boxes and classes of its
    objects, each by its first name; both as regions, with attributes. Boxes are shares of the picture and clipped at
    its edge, over which some annotators drew. A picture that a file does not mention lacks the items of that file.
    """
    folder = path if path.is_dir() else path.parent
    files = {name: file for name in FILES for file in named(folder, name)}
    present = [name for name in (PHRASES, OBJECTS) if name in files]
    if IMAGES not in files or not present:
        raise WeftError(f"{folder}: expected {IMAGES} and {PHRASES} or {OBJECTS}")
    ids = UniqueIds()
    rows: dict[Any, tuple[Sample, Size]] = {}
    for source, image_id, row in _rows(files[IMAGES], on_error):
        try:
            ids.claim(str(image_id), source)
            items = {"image": Media.file(_picture(folder, image_id, row), "image")}
            sample = Sample(str(image_id), str(image_id), items, source)
            rows[image_id] = sample, Size.of(row, source)
        except DataError as error:
            on_error(error)
    attributes = _attributes(files.get(ATTRIBUTES), on_error)
    for name in present:
        for source, image_id, row in _rows(files[name], on_error):
            try:
                if image_id not in rows:
                    raise DataError(f"image {image_id} is not in {IMAGES}", source=source)
                sample, size = rows[image_id]
                place = _Place(size, source, on_error)
                found = (
                    _phrases(row, place) if name == PHRASES else _objects(row, attributes, place)
                )
                sample.items.update(found)
            except DataError as error:
                on_error(error)
    return [sample for sample, _ in rows.values()]


def _rows(file: Path, on_error: OnError) -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """Yields (file:[row], number of the picture, row). The first version of the data calls that number id."""
    content = read_json(file)
    if not isinstance(content, list):
        raise DataError(f"holds a {type(content).__name__}, expected a list", source=str(file))
    for number, row in enumerate(content):
        source = f"{file}:[{number}]"
        try:
            key = "id" if isinstance(row, dict) and "image_id" not in row else "image_id"
            yield source, column(row, key, int, source), row
        except DataError as error:
            on_error(error)


def _attributes(file: Path | None, on_error: OnError) -> dict[int, list[str]]:
    """Maps numbers of objects to their attributes; empty if there is no such file."""
    found: dict[int, list[str]] = {}
    for source, _, row in _rows(file, on_error) if file else ():
        try:
            for where, thing in _listed(row, "attributes", source):
                names = [str(name).strip() for name in column(thing, "attributes", list, where)]
                found[column(thing, "object_id", int, where)] = names
        except DataError as error:
            on_error(error)
    return found


@dataclass(frozen=True)
class _Place:
    """Context for reading one picture: its size, its source, and the error handler."""

    size: Size
    source: str
    on_error: OnError


def _phrases(row: dict[str, Any], place: _Place) -> dict[str, Any]:
    texts: list[str] = []
    boxes: list[list[float]] = []
    for where, region in _listed(row, "regions", place.source):
        try:
            phrase = column(region, "phrase", str, where).strip()
            if phrase:
                boxes.append(_box(region, place.size, where))
                texts.append(phrase)
        except DataError as error:
            place.on_error(error)
    return {"text": Alternatives(texts), "text_boxes": boxes} if texts else {}


def _objects(
    row: dict[str, Any], attributes: dict[int, list[str]], place: _Place
) -> dict[str, Any]:
    boxes: list[list[float]] = []
    classes: list[str] = []
    described: list[list[str]] = []
    for where, thing in _listed(row, "objects", place.source):
        try:
            names = column(thing, "names", list, where)
            if not names or not isinstance(names[0], str):
                raise DataError(f"names are {names!r:.60}, expected one or more", source=where)
            boxes.append(_box(thing, place.size, where))
            classes.append(names[0].strip())
            identity = thing.get("object_id")
            described.append(attributes.get(identity, []) if isinstance(identity, int) else [])
        except DataError as error:
            place.on_error(error)
    return region_items(boxes, classes, attributes=described)


def _listed(row: dict[str, Any], name: str, source: str) -> Iterator[tuple[str, Any]]:
    for number, one in enumerate(column(row, name, list, source)):
        yield f"{source}.{name}[{number}]", one


def _box(row: Any, size: Size, source: str) -> list[float]:
    names = ("x", "y", "w", "h") if "w" in row else ("x", "y", "width", "height")
    xywh = [column(row, name, object, source) for name in names]
    return size.share(xywh, source, cut=True)


def _picture(folder: Path, image_id: int, row: dict[str, Any]) -> Path:
    """Returns the picture's path; if it does not exist, its place in the folder that its url names."""
    said = Path(str(row.get("url", ""))).parent.name
    names = [said, *FOLDERS] if said in FOLDERS else [*FOLDERS]
    places = [folder / name / f"{image_id}.jpg" for name in names]
    return next((place for place in places if place.is_file()), places[0])
