"""Whole towers as ONNX, one file per stream, with a JSON file beside each; in fp32, or with layers in 8 bits."""

from collections.abc import Sequence
from pathlib import Path

from weft.core.errors import brief
from weft.core.files import atomic_path
from weft.core.records import Field
from weft.export._graphs import Description, Kind, streams_of, write_towers
from weft.export._int8 import to_int8
from weft.export._kept import kept
from weft.export._library import Wanted
from weft.export._onnx_file import save_onnx, session
from weft.export._tower import Graph
from weft.runs.run import Run

LEAST_COSINE_INT8 = 0.99
"""Minimum cosine of any row between a file in 8 bits and the run in fp32."""
CALIBRATION = 64
"""Number of rows of the validation split; the file is measured with other rows."""


def write(run: Run, folder: Path, wanted: Wanted) -> Sequence[str]:
    """Writes STREAM.onnx and STREAM.json for each stream, with its tokenizer. Returns lines: how far the file is
    from the run.

    A file in int8 is also copied into the run's folder, where `weft serve` finds it. Raises WeftError if a tower
    cannot be exported, or if the file gives other embeddings.
    """
    if not wanted.int8:
        return write_towers(run, folder, wanted, Kind(".onnx", _fp32, session))
    lines = write_towers(
        run, folder, wanted, Kind(".onnx", _int8, session, LEAST_COSINE_INT8, CALIBRATION)
    )
    return [*lines, *(_keep(run, stream, folder) for stream in streams_of(run, wanted.streams))]


def _fp32(graph: Graph, path: Path, rows: Sequence[Field]) -> Description:  # noqa: ARG001
    save_onnx(graph, path)
    return {"precision": "fp32"}


def _int8(graph: Graph, path: Path, rows: Sequence[Field]) -> Description:
    save_onnx(graph, path)
    return {"precision": "int8", **to_int8(path, rows)}


def _keep(run: Run, stream: str, folder: Path) -> str:
    """Copies the file and its description into the run's folder for the server. Returns a line about it, or about
    why it failed.
    """
    place = kept(run.folder, stream, "int8")
    try:
        place.parent.mkdir(exist_ok=True)
        # The file that is opened first comes last, so that it never lacks its description.
        for suffix in (".json", ".onnx"):
            with atomic_path(place.with_suffix(suffix)) as made:
                made.write_bytes((folder / f"{stream}{suffix}").read_bytes())
    except OSError as error:
        return f"{place}: cannot be written, so weft serve does not find it: {brief(str(error))}"
    return f"{place}: weft serve tries it"
