"""Whole towers as ONNX, one file a stream, with a JSON file beside each."""

from collections.abc import Sequence
from pathlib import Path

from weft.export._graphs import Kind, write_towers
from weft.export._library import Wanted
from weft.export._onnx_file import save_onnx, session
from weft.runs.run import Run


def write(run: Run, folder: Path, wanted: Wanted) -> Sequence[str]:
    """STREAM.onnx and STREAM.json of each stream, with its tokenizer. Lines: how far it is from the run.

    Raises WeftError where a tower is no graph, and where the file gives other embeddings.
    """
    return write_towers(run, folder, wanted, Kind(".onnx", save_onnx, session))
