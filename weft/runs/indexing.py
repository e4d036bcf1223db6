"""Builds the index of a run from rows, and adds rows to it."""

import os
from collections import defaultdict
from collections.abc import Container, Sequence
from dataclasses import replace
from itertools import chain, count
from pathlib import Path

from weft.core.errors import WeftError
from weft.core.interfaces import ReadsMedia
from weft.core.media import Media
from weft.core.samples import Sample
from weft.core.tensors import checksum_of
from weft.data.formats import Dataset
from weft.data.policy import ErrorPolicy
from weft.index import Changed, Entry, Index, Kind, build_index
from weft.index.build import embedded, storable
from weft.index.database import FILE
from weft.index.metadata import taken_columns
from weft.inference.config import InferenceConfig
from weft.modalities.stream_kinds import kind_of_stream
from weft.runs.parts import RECIPE, WEIGHTS
from weft.runs.searching import INDEX
from weft.runs.trained import TrainedModel
from weft.runs.whole import runs_in


def folder_of(path: Path) -> Path:
    """Returns the folder of the index for the folder of a run or of an index. Raises WeftError if it is neither."""
    if (path / FILE).is_file():
        return path
    if not (path / RECIPE).is_file() and not (path / INDEX / FILE).is_file():
        raise WeftError(f"{path}: is not a trained run ({RECIPE} is missing){runs_in(path)}")
    return path / INDEX


def indexed_stream(run: TrainedModel, stream: str | None = None) -> str:
    """Returns the stream to index; by default the first stream of pictures, or the first of all. Raises WeftError if
    the run has no embeddings."""
    if not run.streams:
        raise WeftError(
            f"{run.folder}: this run has no embeddings, so nothing can be searched with it"
        )
    pictures = [name for name in run.streams if kind_of_stream(run.modalities[name]) == "image"]
    return stream or [*pictures, *run.streams][0]


def index_rows(
    run: TrainedModel,
    dataset: Dataset,
    folder: Path | None = None,
    *,
    stream: str | None = None,
    kind: Kind | None = None,
    metadata: Sequence[str] | None = None,
    errors: ErrorPolicy | None = None,
) -> Index:
    """Embeds the rows and writes the index into the folder, RUN/index if not given. See `build_index`.

    errors: policy for unreadable rows; that of the run's training if not given.
    """
    return build_index(
        folder or run.folder / INDEX,
        run.member(dataset),
        dataset,
        indexed_stream(run, stream),
        weights=checksum_of(run.folder / WEIGHTS),
        kind=kind,
        metadata=metadata,
        config=InferenceConfig(errors=errors or run.recipe.data.errors),
        device=run.device,
    )


def add_files(run: TrainedModel, index: Index, files: Sequence[Path]) -> Changed:
    """Embeds the files and adds them, all or none.

    A file that the index already holds keeps its ids and metadata, and its vector is replaced. It is recognised by its
    path, however that is typed, or by its name if the index knows no path. A new file gets its name as its id. Raises
    WeftError for a path that is no file.
    """
    files = [*{os.path.realpath(path): path for path in files}.values()]
    rows = _rows_of_files(run, index.stream, files)
    known = _known(index, files)
    entries: dict[str, Entry] = {}
    found = embedded(run.reading(rows), rows, index.stream, device=run.device)
    for path, made in zip(files, found, strict=True):
        named = index.entry(made.id)
        same = known[path] or ([named] if named and not named.source else [])
        for old in same:
            entries[old.id] = replace(old, vector=made.vector, preview=made.preview)
        if not same:
            name = _free(path.name, index, entries)
            entries[name] = replace(made, id=name, item=name)
    return index.add(entries.values())


def _known(index: Index, files: Sequence[Path]) -> dict[Path, list[Entry]]:
    """Maps each file to the entries whose source is its path: as typed, absolute, or without symbolic links."""
    spelled = {
        path: {storable(way(path)) for way in (str, os.path.abspath, os.path.realpath)}
        for path in files
    }
    of_source: dict[str, list[Entry]] = defaultdict(list)
    for entry in index.entries_from([*chain.from_iterable(spelled.values())]):
        of_source[entry.source].append(entry)
    return {path: [e for way in ways for e in of_source[way]] for path, ways in spelled.items()}


def _free(name: str, index: Index, taken: Container[str]) -> str:
    """Returns the name as an id, with a number if another file of that name has it."""
    names = (storable(f"{name} ({n})" if n > 1 else name) for n in count(1))
    return next(one for one in names if one not in taken and index.entry(one) is None)


def _rows_of_files(run: TrainedModel, stream: str, files: Sequence[Path]) -> list[Sample]:
    modality = run.modalities[stream]
    if not isinstance(modality, ReadsMedia):
        raise WeftError(
            f"the index holds stream '{stream}', which cannot be read from single files; add rows with --data PATH"
        )
    for path in files:
        if not path.is_file():
            raise WeftError(f"{path}: no such file")
    places = [Path(os.path.abspath(path)) for path in files]
    return [
        Sample(path.name, str(path), {stream: Media.file(path, modality.media)}, str(path))
        for path in places
    ]


def add_rows(
    run: TrainedModel, index: Index, rows: Dataset, metadata: Sequence[str] | None = None
) -> Changed:
    """Embeds the rows and adds them, all or none. metadata: columns; None means those of the index that the rows
    have."""
    known = {column.name: column.type for column in index.columns()}
    columns = taken_columns(rows, metadata, run.streams, known)
    member = run.reading(rows)
    return index.add(embedded(member, rows, index.stream, columns, device=run.device))
