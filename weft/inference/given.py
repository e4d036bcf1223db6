"""Values of one's own, such as a picture's path and a question, as rows that are read like any others."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from weft.core.errors import WeftError, unknown_name
from weft.core.interfaces import Modality, ReadsMedia
from weft.core.media import Alternatives, Media, media_of
from weft.core.samples import Sample
from weft.data.columns import ModalitySource
from weft.modalities.image_decoding import pixels_of_value


@dataclass(frozen=True)
class Given:
    """samples: a row for each value. sources: stream -> how its values are read; a row may lack it."""

    samples: list[Sample]
    sources: dict[str, ModalitySource]


def given(values: Mapping[str, Any], modalities: Mapping[str, Modality]) -> Given:
    """stream -> one value, or a list of N, None where the row lacks the stream.

    A single value goes with every row. Of a stream of pictures or sounds a value is a path, encoded bytes
    or an array; a picture may also be one of Pillow (see `pixels_of_value`). Raises WeftError for an unknown stream, a file that is not there, and lists of other
    lengths.
    """
    for stream in values:
        if stream not in modalities:
            raise unknown_name("stream", stream, modalities)
    lists = {
        stream: list(value)
        for stream, value in values.items()
        if isinstance(value, list | tuple) and not isinstance(value, Alternatives)
    }
    lengths = {len(found) for found in lists.values()} or {1}
    if len(lengths) > 1:
        told = ", ".join(f"{len(found)} of '{stream}'" for stream, found in lists.items())
        raise WeftError(f"got {told}, expected as many of each, or one for all")
    (count,) = lengths
    if not count:
        raise WeftError(f"got an empty list of '{next(iter(lists))}', expected one or more")
    columns = {
        stream: [_raw(raw, modalities[stream]) for raw in lists.get(stream, [value] * count)]
        for stream, value in values.items()
    }
    sources = {
        stream: ModalitySource(_rows(stream, raws), stream, modalities[stream], optional=True)
        for stream, raws in columns.items()
    }
    rows = [
        Sample(str(n), str(n), {s: raws[n] for s, raws in columns.items()}, f"row {n + 1}")
        for n in range(count)
    ]
    return Given(rows, sources)


def _rows(stream: str, raws: list[Any]) -> list[Sample]:
    """The stream alone, each value with its own source: that of a file is its path."""
    return [
        Sample(str(n), str(n), {stream: raw}, str(_path(raw) or stream))
        for n, raw in enumerate(raws)
    ]


def _raw(raw: Any, modality: Modality) -> Any:
    if raw is None or not isinstance(modality, ReadsMedia):
        return raw
    if isinstance(raw, list | tuple):  # several a row
        return [_raw(one, modality) for one in raw]
    if modality.media == "image" and isinstance(raw, np.ndarray | Image.Image):
        raw = pixels_of_value(raw)
    value = media_of(raw, modality.media)
    path = _path(value)
    if path is not None and not path.is_file():
        raise WeftError(f"{path}: no such file")
    return value


def _path(raw: Any) -> Path | None:
    return raw.path if isinstance(raw, Media) else None
