"""Converts rows to JSON values and back, to send them to workers in other processes or on other machines.

Nothing is pickled. Files are sent as paths that all workers can read; values in memory are sent whole.
"""

import base64
import functools
from pathlib import Path
from typing import Any

import numpy as np

from weft.core.errors import DataError, WeftError
from weft.core.media import Alternatives, Media
from weft.core.places import FilePlace, Memory, Place
from weft.core.samples import Sample
from weft.data.formats._parquet_cells import ParquetCell
from weft.data.formats._remote import RemoteFile, remote_file
from weft.data.formats._tar_members import Span, TarMember
from weft.data.formats._zip_members import ZipMember


def row_json(sample: Sample) -> dict[str, Any]:
    """The row as JSON values. Raises DataError where a value cannot be written."""
    try:
        items = {name: _told(value) for name, value in sample.items.items()}
    except TypeError as error:
        raise DataError(f"cannot be handed to a worker: {error}", source=sample.source) from None
    told = {"id": sample.id, "group": sample.group, "match": sample.match, "source": sample.source}
    return {**told, "items": items}


def row_of(values: dict[str, Any]) -> Sample:
    """The row that `row_json` wrote."""
    items = {name: _read(value) for name, value in values["items"].items()}
    return Sample(values["id"], values["group"], items, values["source"], values["match"])


def _told(value: Any) -> Any:
    """Marks lists and mappings, which may hold Media, so that no row can be mistaken for a mark."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case Media():
            part = [value.rate, value.start, value.end]
            return {"media": [value.kind, value.suffix, part, *_place_json(value)]}
        case Alternatives():
            return {"alternatives": [_told(each) for each in value]}
        case list() | tuple():
            return [_told(each) for each in value]
        case dict():
            return {"mapping": {str(name): _told(each) for name, each in value.items()}}
        case np.ndarray():
            return {"array": _text(Media.array_of(value).read())}
        case np.generic():
            return _told(value.item())
    raise TypeError(f"a {type(value).__name__} is no value of a row")


def _read(value: Any) -> Any:
    if isinstance(value, list):
        return [_read(each) for each in value]
    if not isinstance(value, dict):
        return value
    ((mark, content),) = value.items()
    match mark:
        case "media":
            kind, suffix, part, lies, place = content
            return Media(kind, _place_of(lies, place), suffix, *part)
        case "alternatives":
            return Alternatives(_read(each) for each in content)
        case "mapping":
            return {name: _read(each) for name, each in content.items()}
        case _:
            return Media.encoded(_bytes(content), "array").array()


def _place_json(media: Media) -> tuple[str, Any]:
    place = media.place
    match place:
        case FilePlace():
            return "file", [str(place.path), None if place.folder is None else str(place.folder)]
        case Memory():
            return "bytes", _text(place.data)
        case TarMember():
            return "tar", [str(place.shard), place.name, list(place.span)]
        case ParquetCell():
            return "parquet", [str(place.path), place.row, list(place.column)]
        case ZipMember():
            return "zip", [str(place.archive), place.name]
    return "array", _text(media.read())


def _place_of(lies: str, place: Any) -> Place:
    match lies:
        case "file":
            path, folder = place
            return FilePlace(Path(path), None if folder is None else Path(folder))
        case "bytes":
            return Memory(_bytes(place))
        case "tar":
            shard, name, span = place
            return TarMember(_shard(shard), name, Span(*span))
        case "parquet":
            path, row, column = place
            return ParquetCell(Path(path), row, tuple(column))
        case "zip":
            archive, name = place
            return ZipMember(Path(archive), name)
        case "array":
            return _array(place)
    raise WeftError(f"'{lies}' is no place that a worker reads")


@functools.lru_cache(maxsize=2)
def _array(text: str) -> Place:
    """Rows about one picture lie side by side; they share the Place of one array."""
    return Media.array_of(Media.encoded(_bytes(text), "array").array()).place


@functools.lru_cache(maxsize=4096)
def _shard(name: str) -> Path | RemoteFile:
    return remote_file(name) or Path(name)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text)
