"""Builds the index of a run from rows, and adds rows to it."""

from collections.abc import Sequence
from pathlib import Path

from weft.core.errors import WeftError
from weft.core.interfaces import ReadsMedia
from weft.core.media import Media
from weft.core.samples import Sample
from weft.core.tensors import checksum_of
from weft.data.formats import Dataset
from weft.data.policy import ErrorPolicy
from weft.index import Changed, Index, Kind, build_index
from weft.index.build import embedded
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


def as_rows(run: TrainedModel, stream: str, files: Sequence[Path]) -> list[Sample]:
    """Makes a row for each file, with its path as its id. Raises WeftError for a path that is no file."""
    modality = run.modalities[stream]
    if not isinstance(modality, ReadsMedia):
        raise WeftError(
            f"the index holds stream '{stream}', which cannot be read from single files; add rows with --data PATH"
        )
    for path in files:
        if not path.is_file():
            raise WeftError(f"{path}: no such file")
    return [
        Sample(
            path.as_posix(), path.as_posix(), {stream: Media.file(path, modality.media)}, str(path)
        )
        for path in files
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
