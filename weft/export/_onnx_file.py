"""ONNX files: written from a graph, run by ONNX Runtime or OpenVINO."""

import importlib
import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from weft.core.errors import MissingExtraError
from weft.core.records import Field
from weft.export._parity import Embed
from weft.export._tower import Graph, inputs_of, quietly

OPSET = 20
"""From 2024: read by ONNX Runtime 1.18, OpenVINO 2024.1 and later versions."""
OUTPUT = "embeddings"
"""Name of the output. Not `embedding`, which torch uses for a step inside a text tower."""
INPUTS = ("values", "mask")
ROWS, PLACES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32), 8
"""OpenVINO gets one of these numbers of rows, and sequences whose length is a multiple of PLACES."""


def needed(package: str, extra: str, purpose: str) -> Any:
    """Imports the package. Raises MissingExtraError if it is not installed.

    ONNX Runtime (from 1.29 on) and OpenVINO would report their use to their makers. Here they do not.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    # OpenVINO has no such variable. It sends nothing if this package cannot be imported.
    sys.modules.setdefault("openvino_telemetry", cast(ModuleType, None))
    try:
        return importlib.import_module(package)
    except ImportError:
        raise MissingExtraError(package, extra=extra, purpose=purpose) from None


def require_exporter() -> None:
    """Raises MissingExtraError if the package that writes ONNX files is not installed."""
    for package in ("onnx", "onnxscript", "onnxruntime"):
        needed(package, "onnx", "an export to ONNX")


def save_onnx(graph: Graph, path: Path) -> None:
    """Writes the graph; for more than 2 GB the weights go into a file beside it. Raises MissingExtraError."""
    require_exporter()
    inputs = list(INPUTS[: len(graph.program.graph_signature.user_inputs)])
    with quietly(), torch.no_grad():
        made: Any = torch.onnx.export(
            graph.program,
            dynamo=True,
            opset_version=OPSET,
            input_names=inputs,
            output_names=[OUTPUT],
            verbose=False,
        )
        _name_axes(made.model, graph)
        made.save(str(path))


def _name_axes(model: Any, graph: Graph) -> None:
    """Renames the symbols of torch to `batch` and `length`."""
    for value in (*model.graph.inputs, *model.graph.outputs):
        sizes = list(value.shape)
        sizes[0] = "batch"
        for place in graph.lengths:
            if value.name != OUTPUT and place < len(sizes):
                sizes[place] = "length"
        value.shape = type(value.shape)(sizes)


def session(path: Path, threads: int | None = None) -> Embed:
    """A function that runs the file with ONNX Runtime on the CPU. threads: torch's if None."""
    compute = outputs(path, [OUTPUT], threads)

    def embed(field: Field) -> Tensor:
        return torch.from_numpy(compute(field)[0])

    return embed


def outputs(
    path: Path, names: Sequence[str], threads: int | None = None
) -> Callable[[Field], list[np.ndarray[Any, Any]]]:
    """Like `session`, for outputs with these names."""
    runtime = needed("onnxruntime", "onnx", "an ONNX file")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads or torch.get_num_threads()
    options.inter_op_num_threads = 1
    # Idle threads do not spin: the other runtimes and torch share these cores.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Without it, products of int8 overflow on processors that lack VNNI.
    options.add_session_config_entry("session.x64quantprecision", "1")
    options.log_severity_level = 3
    opened = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def compute(field: Field) -> list[np.ndarray[Any, Any]]:
        found: list[np.ndarray[Any, Any]] = opened.run(list(names), arrays(field))
        return found

    return compute


def openvino(
    path: Path,
    threads: int | None = None,
    precision: str = "f32",
    longest: int = 0,
    calls: int = 1,
) -> Embed:
    """A function that runs the file with OpenVINO on the CPU. threads: torch's if None. precision: f32, or bf16 if
    the processor has it. longest: maximum number of tokens of a row; 0 if it is not known: lengths are then not
    rounded. calls: number of threads that call the function at the same time; each call has `threads` threads.
    """
    library = needed("openvino", "openvino", "OpenVINO")
    core = library.Core()
    settings = {
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": calls * (threads or torch.get_num_threads()),
        "NUM_STREAMS": calls,
    }
    compiled = core.compile_model(core.read_model(str(path)), "CPU", settings)
    requests = threading.local()  # several threads may call at the same time

    def embed(field: Field) -> Tensor:
        if not hasattr(requests, "own"):
            requests.own = compiled.create_infer_request()
        given = of_few_sizes(arrays(field), longest)
        found = requests.own.infer(given, share_inputs=True, share_outputs=True)
        return torch.from_numpy(np.array(found[0][: len(field)]))

    return embed


def of_few_sizes(
    given: Mapping[str, np.ndarray[Any, Any]], longest: int
) -> dict[str, np.ndarray[Any, Any]]:
    """The arrays padded with zeros: rows to the next number in ROWS (above its last, to a multiple of the last),
    and sequences with a mask to a multiple of PLACES, at most `longest`.

    OpenVINO prepares its kernels for each new size. For a short text this takes as long as the computation.
    """
    rows, *sizes = given["values"].shape
    more = [(0, next((n for n in ROWS if n >= rows), rows + -rows % ROWS[-1]) - rows)]
    if "mask" in given:
        length = sizes[0]
        more.append((0, max(0, min(length + -length % PLACES, longest) - length)))
    return {
        name: np.pad(array, (more + [(0, 0)] * array.ndim)[: array.ndim])
        for name, array in given.items()
    }


def arrays(field: Field) -> Mapping[str, np.ndarray[Any, Any]]:
    """The inputs of the file as numpy arrays."""
    return {name: tensor.cpu().numpy() for name, tensor in inputs_of(field).items()}
