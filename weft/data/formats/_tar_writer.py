"""Writing tar shards in the WebDataset layout, with their index. Reading is formats/webdataset."""

import io
import itertools
import json
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from weft.core.errors import DataError, WeftError
from weft.core.files import atomic_path
from weft.core.kinds import kind_of
from weft.core.media import Alternatives, Media
from weft.core.records import Sample
from weft.data.formats._rows import OnError, raise_error
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
"""In a sample's JSON: the columns, text left out, whose list holds alternatives."""
RESERVED = ("id", "group", "match", "json", ALTERNATIVES)


class Members(NamedTuple):
    """The files of one sample: extension -> content."""

    files: dict[str, bytes]

    @property
    def size(self) -> int:
        return sum(len(data) for data in self.files.values())


def write_shards(
    samples: Iterable[Sample],
    out: Path | str,
    *,
    prefix: str = "shard",
    samples_per_shard: int = 1000,
    max_bytes: int = 1 << 30,
    on_error: OnError = raise_error,
) -> list[Path]:
    """Writes out/prefix-000000.tar, ...; each shard appears whole, with its index, or not at all.

    A shard is closed at `samples_per_shard` samples or once it holds `max_bytes`. A sample that
    cannot be stored goes to `on_error`. Media are replaced by their bytes. Returns the shards.
    """
    if samples_per_shard < 1:
        raise ValueError(f"samples_per_shard is {samples_per_shard}, expected 1 or more")
    encoded = _encoded(samples, on_error)
    shards: list[Path] = []
    for first in encoded:
        shard = Path(out) / f"{prefix}-{len(shards):06d}.tar"
        _write(shard, itertools.chain([first], encoded), samples_per_shard, max_bytes)
        shards.append(shard)
    return shards


def write_shard(
    samples: Iterable[Sample], path: Path | str, *, on_error: OnError = raise_error
) -> None:
    """Writes all `samples` as the one shard `path`, with its index, atomically."""
    _write(Path(path), _encoded(samples, on_error))


def members_of(sample: Sample) -> Members:
    """The files that hold `sample`. Raises DataError where a value cannot be stored."""
    files: dict[str, bytes] = {}
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
            stored = _file(column, value)
            if stored is None:
                details[column] = value
            else:
                files[stored[0]] = stored[1]
        if marked:
            details[ALTERNATIVES] = marked
        files["json"] = json.dumps(details, ensure_ascii=False).encode()
    except DataError:
        raise
    except WeftError as error:
        raise DataError(str(error), source=sample.source) from error
    except (TypeError, ValueError) as error:  # not JSON, or text that is not Unicode
        raise DataError(f"cannot be stored: {error}", source=sample.source) from error
    return Members(files)


def _encoded(samples: Iterable[Sample], on_error: OnError) -> Iterator[Members]:
    for sample in samples:
        try:
            members = members_of(sample)
        except DataError as error:
            on_error(error)
            continue
        yield members


def _write(
    path: Path,
    encoded: Iterator[Members],
    samples: int | None = None,
    max_bytes: int | None = None,
) -> None:
    """Takes from `encoded` what fits into one shard."""
    size = 0
    with atomic_path(path) as temporary, tarfile.open(temporary, "w") as tar:
        for number, members in enumerate(itertools.islice(encoded, samples)):
            for extension, data in members.files.items():
                info = tarfile.TarInfo(f"{path.stem}-{number:06d}.{extension}")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
            size += members.size
            if max_bytes is not None and size >= max_bytes:
                break
    load_index(path)


def _file(column: str, value: Any) -> tuple[str, bytes] | None:
    """(extension, content) of a value that gets its own file, or None for one that goes to JSON."""
    if isinstance(value, np.ndarray):
        return f"{column}.npy", Media.array_of(value).read()
    if isinstance(value, str) and column == "text":
        return "txt", value.encode()
    if isinstance(value, Media):
        content = value.load()
        if isinstance(content, np.ndarray) and value.kind == "image":
            content = _png(content)
        data = value.read() if isinstance(content, np.ndarray) else content
        kind = _kind(value, data)
        if column == value.kind and kind_of(f"x.{kind}") == value.kind != "array":
            return kind, data
        return f"{column}.{kind}", data
    return None


def _png(pixels: np.ndarray) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def _kind(media: Media, data: bytes) -> str:
    """The extension for `data`: of a picture what it is, else what its file was called."""
    found = None
    if media.kind == "array":
        found = "npy"
    elif media.kind in ("image", "file"):
        webp = data[:4] == b"RIFF" and data[8:12] == b"WEBP"
        signatures = (kind for start, kind in SIGNATURES if data.startswith(start))
        found = "webp" if webp else next(signatures, None)
    return found or media.suffix or "bin"
