"""One pass over all rows: what is in each, whether it can be read, and its fingerprints."""

import base64
import functools
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg

from weft.core.errors import DataError, WeftError
from weft.core.files import read_file, write_bytes
from weft.core.media import Alternatives, FilePlace, Media, digest_of, expected
from weft.core.progress import progress as core_progress
from weft.core.records import Sample
from weft.data.formats import Dataset
from weft.data.formats._json_rows import row_json, row_of
from weft.data.prepare.captions import as_captions
from weft.data.prepare.engines import Engine
from weft.data.prepare.fingerprints import SIDE, fingerprint
from weft.data.stamps import stamp
from weft.modalities.image_decoding import read_image
from weft.modalities.image_metadata import jpeg_orientation, private_metadata

VERSION = 4
"""Of the facts and of how they are found: what another version kept is read anew."""
UNIT_ROWS = 256
MAX_PIXELS = 100_000_000


@dataclass(frozen=True)
class RowFacts:
    """What one pass learned about one row.

    columns: name -> kind of value. error: why the row cannot be used. digest: of the encoded
    picture. size: width and height of the upright picture. look: its perceptual fingerprint.
    metadata: the kinds of private metadata in the picture's file.
    """

    id: str
    group: str
    source: str
    split: str | None = None
    columns: dict[str, str] | None = None
    captions: tuple[str, ...] = ()
    error: str | None = None
    digest: str | None = None
    size: tuple[int, int] | None = None
    file_size: int = 0
    look: bytes | None = None
    metadata: tuple[str, ...] = ()


def scan(
    dataset: Dataset,
    *,
    engine: Engine,
    progress: bool = False,
    kept: Path | None = None,
    outside: bool = True,
) -> list[RowFacts]:
    """The facts of every row, in order.

    kept: folder where finished units are stored, so that an interrupted pass continues. A unit is read
    anew where one of its rows has changed since. outside: files outside the data's folder are read too;
    without it they are errors of their rows.
    """
    units = [
        range(start, min(start + UNIT_ROWS, len(dataset)))
        for start in range(0, len(dataset), UNIT_ROWS)
    ]
    found: dict[int, list[RowFacts]] = {}
    stamps: list[str] = []
    if kept is not None:
        stamps = [f"{VERSION} {outside} {stamp(dataset, unit)}" for unit in units]
        for n, of_rows in enumerate(stamps):
            facts = _load_facts(_unit_file(kept, n), of_rows)
            if facts is not None:
                found[n] = facts
    missing = [n for n in range(len(units)) if n not in found]
    left = sum(len(units[n]) for n in missing)
    with core_progress("reading rows", left, shown=progress) as advance:
        work = _Units(dataset, [units[n] for n in missing])
        for number, made in engine.run(_scan_unit, {"outside": outside}, work):
            unit = missing[number]
            values = json.loads(made)
            if kept is not None:
                stored = {"stamp": stamps[unit], "rows": values}
                write_bytes(_unit_file(kept, unit), json.dumps(stored).encode())
            found[unit] = facts_of(values)
            advance(len(found[unit]))
    return [row for unit in range(len(units)) for row in found[unit]]


class Pictures:
    """Facts of pictures. Rows about one picture, such as questions, lie side by side: it is read once."""

    def __init__(self) -> None:
        self._last: Any = None
        self._facts: dict[str, Any] = {}

    def facts(self, raw: Any) -> dict[str, Any]:
        """Raises WeftError for a picture that cannot be read."""
        if raw != self._last:
            self._facts, self._last = _picture_facts(raw), raw
        return self._facts


def scan_row(
    read: Callable[[], Sample], row: int, pictures: Pictures | None = None, *, outside: bool = True
) -> RowFacts:
    """The facts of the row that `read` gives. What is wrong with it becomes its `error`.

    outside: files that lie outside the data's folder are read as well.
    """
    try:
        sample = read()
    except DataError as error:
        return RowFacts(f"row {row}", f"row {row}", error.source, error=error.reason)
    split = sample.items.get("split")
    facts: dict[str, Any] = {
        "id": sample.id,
        "group": sample.group,
        "source": sample.source,
        "split": None if split is None else str(split),
        "columns": {name: _kind(value) for name, value in sample.items.items()},
        "captions": tuple(as_captions(sample.items.get("text"))),
    }
    try:
        for name, value in sample.items.items():
            if not outside and isinstance(value, Media):
                _require_inside(name, value)
        if "image" in sample.items:
            facts |= (pictures or Pictures()).facts(sample.items["image"])
    except WeftError as error:
        facts["error"] = error.reason if isinstance(error, DataError) else str(error)
    return RowFacts(**facts)


def _require_inside(name: str, value: Media) -> None:
    place = value.place
    if isinstance(place, FilePlace) and place.outside:
        raise WeftError(
            f"its {name} {place} lies outside the data's folder {place.folder}; --outside takes it in"
        )


def upright_size(data: bytes, pixels: np.ndarray) -> tuple[int, int]:
    """(width, height) of the picture itself where `pixels` may be a scaled-down decoding."""
    if data[:3] == b"\xff\xd8\xff":
        try:
            height, width, _, _ = simplejpeg.decode_jpeg_header(data)
        except ValueError:  # what only Pillow understands is decoded at full size
            return pixels.shape[1], pixels.shape[0]
        return (height, width) if jpeg_orientation(data) >= 5 else (width, height)
    return pixels.shape[1], pixels.shape[0]


def _picture_facts(raw: Any) -> dict[str, Any]:
    content = expected(raw, "image").load()
    pixels = read_image(content, max_pixels=MAX_PIXELS, min_side=2 * SIDE)
    encoded = content if isinstance(content, bytes) else b""
    return {
        "digest": digest_of(content),
        "size": upright_size(encoded, pixels),
        "file_size": len(encoded) or pixels.nbytes,
        "look": fingerprint(pixels),
        "metadata": private_metadata(encoded),
    }


class _Units(Sequence[Any]):
    """The rows of each unit as JSON values, read when its turn comes."""

    def __init__(self, dataset: Dataset, units: Sequence[Sequence[int]]) -> None:
        self._dataset = dataset
        self._units = units

    def __len__(self) -> int:
        return len(self._units)

    def __getitem__(self, number: int) -> list[Any]:  # type: ignore[override]
        return [[row, handed(self._dataset, row)] for row in self._units[number]]


def handed(dataset: Dataset, row: int) -> dict[str, Any]:
    """The row as JSON values, or what is wrong with it."""
    try:
        return row_json(dataset[row])
    except DataError as error:
        return {"source": error.source, "error": error.reason}


def taken(values: dict[str, Any]) -> Sample:
    """The row that `handed` gave. Raises DataError where it could not be read."""
    if "error" in values:
        raise DataError(values["error"], source=values["source"])
    return row_of(values)


def _scan_unit(shared: dict[str, Any], unit: Sequence[Any]) -> bytes:
    pictures = Pictures()
    facts = [
        scan_row(functools.partial(taken, values), row, pictures, outside=shared["outside"])
        for row, values in unit
    ]
    return json.dumps(facts_json(facts)).encode()


def _kind(value: Any) -> str:
    if isinstance(value, Media):
        return f"{value.suffix} {value.kind}".strip()
    if isinstance(value, np.ndarray):
        return f"array of {value.dtype}"
    names = {str: "text", bool: "yes or no", int: "number", float: "number", dict: "object"}
    if isinstance(value, list | tuple):
        inner = sorted({_kind(item) for item in value})
        several = "alternatives" if isinstance(value, Alternatives) else "list"
        return f"{several} of {' or '.join(inner)}" if inner else "empty list"
    return names.get(type(value), type(value).__name__)


def _unit_file(folder: Path, number: int) -> Path:
    return folder / f"rows-{number:06d}.json"


def facts_json(facts: Sequence[RowFacts]) -> list[dict[str, Any]]:
    """The facts as plain JSON values."""
    return [
        asdict(row) | {"look": base64.b64encode(row.look).decode() if row.look else None}
        for row in facts
    ]


def facts_of(values: Any) -> list[RowFacts]:
    """The facts that `facts_json` gave. Raises ValueError or TypeError for anything else."""
    names = {field.name for field in fields(RowFacts)}
    facts = []
    for row in values:
        if set(row) != names:
            raise ValueError(f"row facts have {sorted(row)}, expected {sorted(names)}")
        row["captions"] = tuple(row["captions"])
        row["metadata"] = tuple(row["metadata"])
        row["size"] = tuple(row["size"]) if row["size"] else None
        row["look"] = base64.b64decode(row["look"]) if row["look"] else None
        facts.append(RowFacts(**row))
    return facts


def _load_facts(path: Path, of_rows: str) -> list[RowFacts] | None:
    """A finished unit of rows with that stamp; None where it is not there, damaged or of other rows."""
    try:
        stored = json.loads(read_file(path))
        return facts_of(stored["rows"]) if stored["stamp"] == of_rows else None
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None
