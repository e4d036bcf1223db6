"""ONNX files in a run's folder, which the server tries: in fp32 as it wrote them itself, in int8 as an export left them."""

import json
from pathlib import Path

from weft.core.tensors import checksum_of
from weft.export._onnx_file import OPSET
from weft.runs.parts import WEIGHTS

EXPORTED = "exported"
"""Folder of the run. The names of its files hold the checksum of the run's weights, so that no file outlives them."""


def kept(folder: Path, stream: str, precision: str = "fp32") -> Path:
    """Where the file of this stream lies, or would."""
    mark = (checksum_of(folder / WEIGHTS) or "unknown").rpartition(":")[2]
    kind = "" if precision == "fp32" else f"-{precision}"
    return folder / EXPORTED / f"{stream}-{mark}-{OPSET}{kind}.onnx"


def cosine_said(path: Path) -> float:
    """The worst cosine to fp32 that the JSON file beside an exported tower says; 0 where none can be read."""
    try:
        return float(json.loads(path.with_suffix(".json").read_bytes())["parity"]["worst"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0.0
