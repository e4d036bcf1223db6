"""Builds an index of one stream from the rows of a data set."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from weft.core.errors import WeftError
from weft.core.interfaces import Shown
from weft.core.media import Alternatives, Media
from weft.core.once import once
from weft.core.progress import progress
from weft.data.formats import Dataset
from weft.index.creation import check_kind
from weft.index.live import Index
from weft.index.metadata import Taken, metadata_of, taken_columns
from weft.index.previews import preview_of
from weft.index.records import Entry, Kind, Scalar
from weft.inference.config import InferenceConfig
from weft.inference.embedding import embed_entries
from weft.inference.entries import list_entries
from weft.inference.member import Entry as Place
from weft.inference.member import Member
from weft.modalities.parts import shown_by


def build_index(
    folder: Path | str,
    member: Member,
    dataset: Dataset,
    stream: str = "image",
    *,
    weights: str | None = None,
    kind: Kind | None = None,
    metadata: Sequence[str] | None = None,
    config: InferenceConfig | None = None,
    device: torch.device | str = "cpu",
) -> Index:
    """Embeds the data set's `stream` and writes the index; each caption of a list is a separate entry.

    weights: the checksum of the member's weights. metadata: the columns that become metadata; see `taken_columns`.
    Raises WeftError if nothing can be read or written; an existing index then stays unchanged.
    """
    check_kind(kind)
    columns = taken_columns(dataset, metadata, tuple(member.sources))
    entries = embedded(member, dataset, stream, columns, config=config, device=device)
    first = next(entries, None)
    if first is None:
        raise WeftError(f"none of the {len(dataset):,} rows can be embedded, so there is no index")
    return Index.create(
        folder,
        dim=len(first.vector),
        stream=stream,
        weights=weights,
        kind=kind,
        entries=chain([first], entries),
    )


def embedded(
    member: Member,
    dataset: Dataset,
    stream: str,
    columns: Sequence[Taken] = (),
    *,
    config: InferenceConfig | None = None,
    device: torch.device | str = "cpu",
) -> Iterator[Entry]:
    """The entries of the data set's `stream`, one or more, with previews."""
    config = config or InferenceConfig()
    bad = config.errors.build(len(dataset))
    listed = list_entries(dataset, (stream,), bad).entries[stream]
    found = embed_entries([member], listed, dataset, config, bad, device)
    modality = shown_by(member.modalities.get(stream))
    known: Counter[str] = Counter()
    with progress("indexing", len(found.entries)) as advance:
        for place, vector in zip(found.entries, found.vectors[0], strict=True):
            entry = _entry(dataset, place, vector, columns, modality)
            known[entry.id] += 1
            again = known[entry.id] > 1  # rows of several files may share a name
            yield replace(entry, id=f"{entry.id} ({known[entry.id]})") if again else entry
            advance(1)


def _entry(
    dataset: Dataset, place: Place, vector: Tensor, columns: Sequence[Taken], modality: Any
) -> Entry:
    sample = dataset[place.row]
    raw = sample.items[place.stream]
    if isinstance(raw, Alternatives):
        raw = raw[place.alternative or 0]
    return shown_entry(
        f"{sample.id}#{place.alternative}" if place.alternative else sample.id,
        vector,
        raw,
        modality,
        item=sample.id,
        source=_where(raw, sample.source),
        metadata=metadata_of(sample.items, columns),
    )


def shown_entry(
    name: str,
    vector: Tensor,
    raw: Any,
    modality: Shown,
    *,
    item: str = "",
    source: str = "",
    metadata: Mapping[str, Scalar | None] | None = None,
) -> Entry:
    """The entry with that id, with a preview of its raw value, or its text."""
    with once():
        display = modality.show(raw)
        preview = preview_of(display)
    return Entry(
        id=storable(name),
        vector=vector,
        item=storable(item),
        source=storable(source),
        metadata=metadata or {},
        text=None if display.drawn else storable(raw if isinstance(raw, str) else display.text),
        preview=preview,
    )


def _where(raw: Any, source: str) -> str:
    """The path of a value that is a whole file; otherwise the source of the row."""
    if not isinstance(raw, Media) or raw.path is None or (raw.start, raw.end) != (0.0, None):
        return source
    return str(raw.path)


def storable(text: str) -> str:
    """The text with half surrogate pairs, as in a file's name that is not Unicode, escaped as in JSON."""
    return text.encode(errors="backslashreplace").decode()
