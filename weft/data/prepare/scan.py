"""One pass over all rows: their content, whether they can be read, and their fingerprints."""

import base64
import functools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from weft.core.errors import DataError, WeftError
from weft.core.files import read_file, write_bytes
from weft.core.media import Alternatives, Media
from weft.core.places import FilePlace, digest_of
from weft.core.progress import progress as core_progress
from weft.core.samples import Sample
from weft.data.formats import Dataset
from weft.data.formats._json_rows import row_json, row_of
from weft.data.prepare.captions import captions_of, sentences_of
from weft.data.prepare.engines import Engine
from weft.data.prepare.media_facts import MediaFacts, Reader, media_in
from weft.data.prepare.recordings import RecordingFacts
from weft.data.stamps import stamp

VERSION = 7
"""Version of the facts and of how they are computed. Results of another version are computed again."""
UNIT_ROWS = 256


@dataclass(frozen=True)
class RowFacts:
    """Facts about one row from one pass.

    columns: name -> kind of value. captions: by column; sentences: the other strings of two words or more. media: by
    column, see `media_in`; only readable ones. values: digest of the whole row if nothing else can be compared.
    error: why the row cannot be used.
    """

    id: str
    group: str
    source: str
    split: str | None = None
    columns: dict[str, str] = field(default_factory=dict)
    captions: dict[str, tuple[str, ...]] = field(default_factory=dict)
    sentences: tuple[str, ...] = ()
    media: dict[str, MediaFacts] = field(default_factory=dict)
    values: str | None = None
    error: str | None = None

    @property
    def texts(self) -> list[str]:
        """All captions and sentences."""
        return [*self.all_captions, *self.sentences]

    @property
    def all_captions(self) -> list[str]:
        """The captions of all columns."""
        return [caption for of_column in self.captions.values() for caption in of_column]

    @functools.cached_property
    def content(self) -> dict[str, str]:
        """Maps columns to digests of the content that decides about duplicates: pictures, sounds, videos and files.

        Arrays do not count beside them: they often describe them, such as boxes, or are the same in every row, such
        as times. In a row with nothing else, all arrays count as one.
        """
        known = {name: m.digest for name, m in self.media.items() if m.digest is not None}
        recordings = {name: d for name, d in known.items() if self.media[name].kind != "array"}
        if recordings or not known:
            return recordings
        names = sorted(known)
        return {", ".join(names): " ".join(known[name] for name in names)}


def scan(
    dataset: Dataset,
    *,
    engine: Engine,
    progress: bool = False,
    kept: Path | None = None,
    outside: bool = True,
    texts: Sequence[str] = (),
    only: bool = False,
) -> list[RowFacts]:
    """Returns the facts of every row, in order.

    kept: folder with finished units, so that an interrupted pass can continue. A unit is read again if one of its
    rows has changed. outside: also read files outside the data's folder; otherwise they are errors of their rows.
    texts: columns whose strings count as captions. only: no other strings count as texts, such as names of classes.
    """
    shared = {"outside": outside, "texts": list(texts), "only": only}
    units = [
        range(start, min(start + UNIT_ROWS, len(dataset)))
        for start in range(0, len(dataset), UNIT_ROWS)
    ]
    found: dict[int, list[RowFacts]] = {}
    stamps: list[str] = []
    if kept is not None:
        stamps = [f"{VERSION} {shared} {stamp(dataset, unit)}" for unit in units]
        for n, of_rows in enumerate(stamps):
            facts = _load_facts(_unit_file(kept, n), of_rows)
            if facts is not None:
                found[n] = facts
    missing = [n for n in range(len(units)) if n not in found]
    left = sum(len(units[n]) for n in missing)
    with core_progress("reading rows", left, shown=progress) as advance:
        work = _Units(dataset, [units[n] for n in missing])
        for number, made in engine.run(_scan_unit, shared, work):
            unit = missing[number]
            values = json.loads(made)
            if kept is not None:
                stored = {"stamp": stamps[unit], "rows": values}
                write_bytes(_unit_file(kept, unit), json.dumps(stored).encode())
            found[unit] = facts_of(values)
            advance(len(found[unit]))
    return [row for unit in range(len(units)) for row in found[unit]]


def scan_row(
    read: Callable[[], Sample],
    row: int,
    reader: Reader | None = None,
    *,
    outside: bool = True,
    texts: Sequence[str] = (),
    only: bool = False,
) -> RowFacts:
    """Returns the facts of the row that `read` returns. Any fault of the row becomes its `error`.

    outside, texts, only: as in `scan`.
    """
    try:
        sample = read()
    except DataError as error:
        return RowFacts(f"row {row}", f"row {row}", error.source, error=error.reason)
    items, reader = sample.items, reader or Reader()
    split = items.get("split")
    media: dict[str, MediaFacts] = {}
    errors: list[str] = []
    for name, value in media_in(items):
        try:
            if not outside:
                _require_inside(value)
            media[name] = reader.facts(name, value)
        except WeftError as error:
            errors.append(f"{name}: {error.reason if isinstance(error, DataError) else error}")
    captions = captions_of(items, texts, only=only)
    sentences = () if only else sentences_of(items, texts)
    compared = errors or captions or sentences or any(m.digest for m in media.values())
    return RowFacts(
        sample.id,
        sample.group,
        sample.source,
        split=None if split is None else str(split),
        columns={name: _kind(value) for name, value in items.items()},
        captions=captions,
        sentences=sentences,
        media=media,
        values=None if compared else _values(items),
        error="; ".join(errors) or None,
    )


def _require_inside(value: Media) -> None:
    place = value.place
    if isinstance(place, FilePlace) and place.outside:
        raise WeftError(
            f"{place} lies outside the data's folder {place.folder}; --outside allows it"
        )


def _values(items: Mapping[str, Any]) -> str | None:
    """Returns the digest of all values but the split; None if there is none."""
    told = {name: value for name, value in items.items() if name != "split"}
    return digest_of(json.dumps(told, sort_keys=True, default=_told).encode()) if told else None


def _told(value: Any) -> str:
    if isinstance(value, Media):
        return digest_of(value.array())
    return digest_of(value) if isinstance(value, np.ndarray) else repr(value)


class _Units(Sequence[Any]):
    """The rows of each unit as JSON values, read on request."""

    def __init__(self, dataset: Dataset, units: Sequence[Sequence[int]]) -> None:
        self._dataset = dataset
        self._units = units

    def __len__(self) -> int:
        return len(self._units)

    def __getitem__(self, number: int) -> list[Any]:  # type: ignore[override]
        return [[row, handed(self._dataset, row)] for row in self._units[number]]


def handed(dataset: Dataset, row: int) -> dict[str, Any]:
    """Returns the row as JSON values, or its error."""
    try:
        return row_json(dataset[row])
    except DataError as error:
        return {"source": error.source, "error": error.reason}


def taken(values: dict[str, Any]) -> Sample:
    """Restores the row from `handed`. Raises DataError if it could not be read."""
    if "error" in values:
        raise DataError(values["error"], source=values["source"])
    return row_of(values)


def _scan_unit(shared: dict[str, Any], unit: Sequence[Any]) -> bytes:
    reader = Reader()
    facts = [
        scan_row(functools.partial(taken, values), row, reader, **shared) for row, values in unit
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
        vars(row) | {"media": {name: _media_json(m) for name, m in row.media.items()}}
        for row in facts
    ]


def _media_json(facts: MediaFacts) -> dict[str, Any]:
    told = asdict(facts) | {"look": _text(facts.look)}
    if facts.recording is not None:
        told["recording"]["looks"] = [_text(look) for look in facts.recording.looks]
    return told


def _text(look: bytes | None) -> str | None:
    return base64.b64encode(look).decode() if look else None


def _look(text: str | None) -> bytes | None:
    return base64.b64decode(text) if text else None


def facts_of(values: Any) -> list[RowFacts]:
    """Restores the facts from `facts_json`. Raises ValueError or TypeError for anything else."""
    facts = []
    for row in values:
        _require_names(row, RowFacts)
        row["captions"] = {name: tuple(texts) for name, texts in row["captions"].items()}
        row["sentences"] = tuple(row["sentences"])
        row["media"] = {name: _media_of(media) for name, media in row["media"].items()}
        facts.append(RowFacts(**row))
    return facts


def _media_of(values: Any) -> MediaFacts:
    _require_names(values, MediaFacts)
    values["metadata"] = tuple(values["metadata"])
    values["size"] = tuple(values["size"]) if values["size"] else None
    values["look"] = _look(values["look"])
    if (recording := values["recording"]) is not None:
        _require_names(recording, RecordingFacts)
        recording["size"] = tuple(recording["size"]) if recording["size"] else None
        recording["looks"] = tuple(map(_look, recording["looks"]))
        values["recording"] = RecordingFacts(**recording)
    return MediaFacts(**values)


def _require_names(values: Any, record: type) -> None:
    names = {each.name for each in fields(record)}
    if set(values) != names:
        raise ValueError(f"{record.__name__} has {sorted(values)}, expected {sorted(names)}")


def _load_facts(path: Path, of_rows: str) -> list[RowFacts] | None:
    """Loads a finished unit for rows with that stamp; None if it is missing, damaged or of other rows."""
    try:
        stored = json.loads(read_file(path))
        return facts_of(stored["rows"]) if stored["stamp"] == of_rows else None
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
