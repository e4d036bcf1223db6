"""Converts a caller's values, such as a picture's path and a question, to rows that are read like any others."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from weft.core.errors import WeftError, unknown_name
from weft.core.interfaces import Modality, ReadsMedia
from weft.core.media import Alternatives, Media
from weft.core.samples import Sample
from weft.data.columns import ModalitySource
from weft.inference.own_values import media_value, names_of


@dataclass(frozen=True)
class Given:
    """samples: one row per value. sources: stream -> how its values are read; a row may lack it."""

    samples: list[Sample]
    sources: dict[str, ModalitySource]


def given(
    values: Mapping[str, Any], modalities: Mapping[str, Modality], *, optional: bool = True
) -> Given:
    """stream -> one value, or a list of N values, with None for a row without the stream.

    A single value is used for every row. `own_values` lists the values that are accepted for a picture, sound or
    video; an array of strings counts as a list of them. optional: whether a row may lack a stream. Raises WeftError
    for an unknown stream, a value that cannot be read or is missing, a missing file, and lists of different lengths.
    """
    values = {stream: names_of(value) for stream, value in values.items()}
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
        raise WeftError(f"got {told}, expected the same number of each, or one for all")
    (count,) = lengths
    if not count:
        raise WeftError(f"got an empty list of '{next(iter(lists))}', expected one or more")
    columns = {
        stream: [_raw(raw, modalities[stream]) for raw in lists.get(stream, [value] * count)]
        for stream, value in values.items()
    }
    if not optional:
        _require_all(columns)
    sources = {
        stream: ModalitySource(_rows(stream, raws), stream, modalities[stream], optional=optional)
        for stream, raws in columns.items()
    }
    rows = [_row(n, {s: raws[n] for s, raws in columns.items()}) for n in range(count)]
    return Given(rows, sources)


def _row(number: int, items: dict[str, Any]) -> Sample:
    """One row with all its streams. Its source is its file if it has one, else its number."""
    files = [name for name in map(_name, items.values()) if name]
    source = files[0] if len(set(files)) == 1 else f"row {number + 1}"
    return Sample(str(number), str(number), items, source)


def _require_all(columns: Mapping[str, list[Any]]) -> None:
    for stream, raws in columns.items():
        for n, raw in enumerate(raws):
            if raw is None:
                raise WeftError(
                    f"value {n + 1} of '{stream}' is missing, expected one in every row"
                )


def _rows(stream: str, raws: list[Any]) -> list[Sample]:
    """One row per value with this stream only. The source of a file is its path, that of any other value the
    stream's name.
    """
    return [
        Sample(str(n), str(n), {stream: raw}, _name(raw) or stream) for n, raw in enumerate(raws)
    ]


def _raw(raw: Any, modality: Modality) -> Any:
    if raw is None or not isinstance(modality, ReadsMedia):
        return raw
    return media_value(raw, modality.media)


def _name(raw: Any) -> str | None:
    """The path of a file, with the seconds of the part that is used; None if the value is no file."""
    path = raw.path if isinstance(raw, Media) else None
    if path is None:
        return None
    if (raw.start, raw.end) == (0.0, None):
        return str(path)
    to_end = f"from {raw.start:.1f} s"
    return f"{path} ({to_end if raw.end is None else f'{raw.start:.1f}–{raw.end:.1f} s'})"
