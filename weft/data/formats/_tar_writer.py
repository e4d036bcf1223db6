"""Writes tar shards in the WebDataset layout, with their index. formats/webdataset reads them."""

import io
import json
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from weft.core.errors import DataError, WeftError
from weft.core.files import atomic_path
from weft.core.kinds import kind_of
from weft.core.media import RECORDINGS as RECORDED
from weft.core.media import Alternatives, Media
from weft.core.samples import Sample
from weft.data.formats._tar_index import load_index

SIGNATURES = (
    (b"\xff\xd8\xff", "jpg"),
    (b"\x89PNG\r\n", "png"),
    (b"GIF8", "gif"),
    (b"BM", "bmp"),
    (b"II*\x00", "tif"),
    (b"MM\x00*", "tif"),
)


ALTERNATIVES = "__alternatives__"
"""In a sample's JSON: the columns, other than text, whose lists hold alternatives."""
LISTS = "__lists__"
"""In a sample's JSON: column -> number of its files, such as pictures. The members are named COLUMN.0.jpg, ..."""
RECORDINGS = "__recordings__"
"""In a sample's JSON: column -> [kind, rate, start, end] for a member whose name does not show these: a part of a
recording, unencoded samples, the sound track of a video."""
RESERVED = ("id", "group", "match", "json", ALTERNATIVES, LISTS, RECORDINGS)


def write_shard(samples: Iterable[Sample], path: Path | str) -> None:
    """Writes all `samples` as one shard `path`, with its index. The shard is written whole, or not at all.

    Media are stored as their bytes. For a part of a recording, the whole recording is stored with the part's limits.
    Raises DataError for a sample that cannot be stored.
    """
    path = Path(path)
    with atomic_path(path) as temporary, tarfile.open(temporary, "w") as tar:
        for number, sample in enumerate(samples):
            for extension, data in members_of(sample).items():
                info = tarfile.TarInfo(f"{path.stem}-{number:06d}.{extension}")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    load_index(path)


def members_of(sample: Sample) -> dict[str, bytes]:
    """Returns extension -> content of the files that hold `sample`. Raises DataError if a value cannot be stored."""
    files: dict[str, bytes] = {}
    recordings: dict[str, list[Any]] = {}
    details: dict[str, Any] = {"id": sample.id, "group": sample.group}
    if sample.match is not None:
        details["match"] = sample.match
    try:
        marked = [
            column
            for column, value in sample.items.items()
            if isinstance(value, Alternatives) and column != "text"
        ]
        for column, value in sample.items.items():
            if not column or set("./") & set(column) or column in RESERVED:
                raise ValueError(f"a column cannot be named '{column}' in a shard")
            if isinstance(value, list) and value and all(isinstance(v, Media) for v in value):
                details.setdefault(LISTS, {})[column] = len(value)
                for number, each in enumerate(value):
                    extension, content = _media(f"{column}.{number}", each)
                    files[extension] = content
                    recordings |= _recording(f"{column}.{number}", each, extension)
                continue
            stored = _file(column, value)
            if stored is None:
                details[column] = value
                continue
            files[stored[0]] = stored[1]
            if isinstance(value, Media):
                recordings |= _recording(column, value, stored[0])
        if recordings:
            details[RECORDINGS] = recordings
        if marked:
            details[ALTERNATIVES] = marked
        files["json"] = json.dumps(details, ensure_ascii=False).encode()
    except DataError:
        raise
    except WeftError as error:
        raise DataError(str(error), source=sample.source) from error
    except (TypeError, ValueError) as error:  # not JSON, or text with lone surrogates
        raise DataError(f"cannot be stored: {error}", source=sample.source) from error
    return files


def _file(column: str, value: Any) -> tuple[str, bytes] | None:
    """Returns (extension, content) of a value that gets a file of its own, or None for one that goes into the JSON."""
    if isinstance(value, np.ndarray):
        return f"{column}.npy", Media.array_of(value).read()
    if isinstance(value, str) and column == "text":
        return "txt", value.encode()
    return _media(column, value) if isinstance(value, Media) else None


def _media(column: str, media: Media) -> tuple[str, bytes]:
    content = media.load()
    if isinstance(content, np.ndarray) and media.kind == "image":
        content = _png(content)
    data = media.read() if isinstance(content, np.ndarray) else content
    kind = _kind(media, data)
    if column == media.kind and kind_of(f"x.{kind}") == media.kind != "array":
        return kind, data
    return f"{column}.{kind}", data


def _recording(column: str, media: Media, extension: str) -> dict[str, list[Any]]:
    """Returns the facts about a sound or a video that its extension does not show."""
    part = [media.rate, media.start, media.end]
    if media.kind not in RECORDED or (kind_of(f"x.{extension}"), part) == (
        media.kind,
        [None, 0.0, None],
    ):
        return {}
    return {column: [media.kind, *part]}


def _png(pixels: np.ndarray) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def _kind(media: Media, data: bytes) -> str:
    """Returns the extension for `data`: for a picture its actual format, otherwise the suffix of its file."""
    found = None
    if media.kind == "array":
        found = "npy"
    elif media.kind in ("image", "file"):
        webp = data[:4] == b"RIFF" and data[8:12] == b"WEBP"
        signatures = (kind for start, kind in SIGNATURES if data.startswith(start))
        found = "webp" if webp else next(signatures, None)
    return found or media.suffix or "bin"
