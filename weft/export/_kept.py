"""ONNX files in a run's folder, which the server tries: in fp32 written by the server, in int8 written by an
export.
"""

import json
from pathlib import Path

from weft.core.tensors import checksum_of
from weft.export._onnx_file import OPSET
from weft.runs.parts import WEIGHTS

EXPORTED = "exported"
"""Folder in the run. The names of its files contain the checksum of the run's weights, so a file is not used with
other weights.
"""


def kept(folder: Path, stream: str, precision: str = "fp32") -> Path:
    """The path of the file of this stream, whether or not it exists."""
    mark = (checksum_of(folder / WEIGHTS) or "unknown").rpartition(":")[2]
    kind = "" if precision == "fp32" else f"-{precision}"
    return folder / EXPORTED / f"{stream}-{mark}-{OPSET}{kind}.onnx"


def cosine_said(path: Path) -> float:
    """The worst cosine to fp32 in the JSON file beside an exported tower; 0 if it cannot be read."""
    try:
        return float(json.loads(path.with_suffix(".json").read_bytes())["parity"]["worst"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0.0
