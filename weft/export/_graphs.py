"""Writes the towers of a run as files of one kind with their descriptions, and measures each against the run."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from weft.core.errors import WeftError, unknown_name
from weft.core.records import Field
from weft.export._described import describe
from weft.export._files import write_json
from weft.export._library import Wanted
from weft.export._parity import Embed, eager, parity
from weft.export._rows import Values, values_of
from weft.export._tower import Graph, graph_of
from weft.runs.run import Run

ROWS = 64
"""Number of values with which an export is measured."""
LEAST_COSINE = 0.99999
"""Minimum cosine of any row between a file in fp32 and the run. A file below it is not written."""
Description = dict[str, Any]
"""Entries of the JSON file about the computation of the tower, such as its precision."""


class Kind(NamedTuple):
    """suffix: of the file. save: writes a graph, given the rows for calibration, one per Field; returns its
    Description. load: opens the written file. least: minimum cosine of any row to the run. calibration: number of
    the run's rows that `save` needs.
    """

    suffix: str
    save: Callable[[Graph, Path, Sequence[Field]], Description]
    load: Callable[[Path], Embed]
    least: float = LEAST_COSINE
    calibration: int = 0


def streams_of(run: Run, wanted: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The wanted streams, or all streams that have embeddings. Raises WeftError if the run has no stream of that
    name.
    """
    if not run.streams:
        raise WeftError(f"{run.folder}: this run has no embeddings, so it has no tower to export")
    for stream in wanted:
        if stream not in run.streams:
            raise unknown_name("stream of the run's embeddings", stream, run.streams)
    return tuple(dict.fromkeys(wanted)) or run.streams


def write_towers(run: Run, folder: Path, wanted: Wanted, kind: Kind) -> list[str]:
    """Writes one file and one JSON file per stream. Returns lines: the parity, and what was measured instead if no
    real rows are available.
    """
    return [
        line
        for stream in streams_of(run, wanted.streams)
        for line in _write(run, stream, folder, kind)
    ]


def _write(run: Run, stream: str, folder: Path, kind: Kind) -> list[str]:
    values, calibration = values_of(run, stream, ROWS + kind.calibration).split(kind.calibration)
    if kind.calibration and not (values.real and calibration.items):
        raise WeftError(
            f"{run.folder}: int8 needs two validation rows or more whose stream '{stream}' can be read"
        )
    example = values.traced()
    graph = graph_of(run.model, stream, example)
    path = folder / f"{stream}{kind.suffix}"
    computed = kind.save(graph, path, calibration.batches(1))
    found = parity(kind.load(path), eager(run.model, stream), values.fields())
    if found.worst < kind.least:
        raise WeftError(
            f"the exported tower of stream '{stream}' has a cosine of {found.worst:.6f} to the run's embeddings, expected "
            f"{kind.least} or more"
        )
    described = describe(run, stream, example, graph, path.name, folder)
    write_json(folder / f"{stream}.json", {**described, **computed, "parity": found.to_json()})
    return [f"{path.name}: {_rows(values)}{found.line()}"]


def _rows(values: Values) -> str:
    return "" if values.real else "made-up values, since no rows of the run are at hand; "
