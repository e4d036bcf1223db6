"""Chooses the backend that embeds a stream in a server: each is timed, and the fastest with the same result is
used.
"""

import copy
import importlib.util
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch.nn.functional as F
from torch import Tensor

from weft.architectures.model import Model
from weft.core.errors import WeftError, brief
from weft.core.precision import Precision
from weft.core.records import Field
from weft.export._kept import cosine_said, kept
from weft.export._made_up import made_up
from weft.export._onnx_file import openvino, save_onnx, session
from weft.export._tower import graph_of
from weft.inference.embedding import evaluating
from weft.inference.given import given
from weft.inference.preloaded import Preloaded
from weft.modalities.text import Text
from weft.runs.trained import TrainedModel

LEAST_COSINE = 0.99
"""Minimum cosine to the model in fp32; a backend below it is not used."""
LEAST_GAIN = 1.1
"""Minimum speed-up over the backends before it, since the timing is short."""
ROWS = 4
"""Rows of the trial: the batch of a server at about half of its load."""
LARGEST = 1 << 30
"""Bytes of a tower's weights above which it is not exported to a file."""
INT8 = "openvino int8"
"""Backend from a file that `weft export --to onnx --int8` has written into the run's folder."""
CALLS = 2
"""Maximum number of calls of a backend at the same time, so that a request does not wait for another one's call."""
EXTRAS = {"onnx": ("onnx", "onnxscript", "onnxruntime"), "openvino": ("openvino",)}
Compute = Callable[[Field], Tensor]
Open = Callable[[Path], Compute]


@dataclass(frozen=True)
class Backend:
    """embed: the values of a Field -> (B, E) float32 on the CPU, of unit length. why: the measurement.

    own_weights: the backend does not use the run's model. Several threads may call it at the same time, also while the
    model runs.
    """

    name: str
    why: str
    embed: Compute
    own_weights: bool = False


def fastest(run: TrainedModel, stream: str, seconds: float = 1.0) -> Backend:
    """The fastest backend for this stream, by a trial of about `seconds` seconds."""
    ways: dict[str, Compute] = {"fp32": _eager(run, stream)}
    if run.device.type == "cuda":
        return Backend("fp32", "the model is on a GPU", ways["fp32"])
    examples = _examples(run, stream)
    if not examples:
        return Backend("fp32", "nothing is known to try other ways with", ways["fp32"])
    ways["bf16"] = _bf16(run, stream)
    files, absent = _of_files(run, stream, examples[0])
    ways |= files
    expected = [ways["fp32"](example) for example in examples]
    cosines = {
        # Generated examples differ much from the rows of the int8 calibration; its export measured real rows.
        name: cosine_said(kept(run.folder, stream, "int8"))
        if name == INT8
        else _cosine(way, examples, expected)
        for name, way in ways.items()
    }
    tried = {name: way for name, way in ways.items() if cosines[name] >= LEAST_COSINE}
    took = _seconds(tried, examples[0], seconds)
    name = "fp32"
    for other in tried:
        if took[other] * LEAST_GAIN < took[name]:
            name = other
    return Backend(name, _told(took, cosines, name, absent), ways[name], name != "fp32")


def _of_files(
    run: TrainedModel, stream: str, example: Field
) -> tuple[dict[str, Compute], list[str]]:
    """The backends that run an ONNX file, and the reasons why others are missing."""
    missing = {
        extra: [name for name in packages if importlib.util.find_spec(name) is None]
        for extra, packages in EXTRAS.items()
    }
    absent = [
        f"{extra} needs: pip install 'weft[{extra}]'" for extra, names in missing.items() if names
    ]
    if missing["onnx"]:
        return {}, absent
    modality = run.modalities[stream]
    longest = modality.config.max_length if isinstance(modality, Text) else 0
    of_fp32: dict[str, Open] = {"onnx": session}
    of_int8: dict[str, Open] = {}
    if not missing["openvino"]:
        of_fp32["openvino"] = partial(openvino, longest=longest, calls=CALLS)
        of_fp32["openvino bf16"] = partial(openvino, precision="bf16", longest=longest, calls=CALLS)
        of_int8[INT8] = partial(openvino, longest=longest, calls=CALLS)
    ways: dict[str, Compute] = {}
    for file, opens in ((_onnx_file, of_fp32), (_int8_file, of_int8)):
        # Exporter and runtimes say in many ways what they cannot write or open; the model itself remains.
        try:
            path = file(run, stream, example) if opens else None
            if path is not None:
                for name, opened in opens.items():
                    ways[name] = opened(path)
        except Exception as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            first = next(name for name in opens if name not in ways)
            absent.append(f"no {first}: {brief(reason)}")
    return ways, absent


def _onnx_file(run: TrainedModel, stream: str, example: Field) -> Path:
    """The tower as ONNX, written into the run's folder the first time. Raises WeftError if it cannot be exported
    for any length.
    """
    path = kept(run.folder, stream)
    if path.exists():
        return path
    parts = (run.model.encoders[stream], run.model.projections[stream])
    size = sum(p.numel() * p.element_size() for part in parts for p in part.parameters())
    if size > LARGEST:
        raise WeftError(f"the tower has {size:,} bytes, expected at most {LARGEST:,}")
    graph = graph_of(run.model, stream, example)
    if example.mask is not None and 1 not in graph.lengths:
        raise WeftError("the tower cannot be exported with a variable input length")
    path.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as work:
        made = Path(work) / path.name
        save_onnx(graph, made)
        os.replace(made, path)
    return path


def _int8_file(run: TrainedModel, stream: str, example: Field) -> Path | None:  # noqa: ARG001
    """The file that `weft export --int8` has written; None if there is none."""
    path = kept(run.folder, stream, "int8")
    return path if path.exists() else None


def _eager(run: TrainedModel, stream: str) -> Compute:
    return _computing(run.model, stream, run, "fp32")


def _bf16(run: TrainedModel, stream: str) -> Compute:
    """The model with weights cast to bf16 in advance: casting takes longer than a short text."""
    model = Model(
        {stream: copy.deepcopy(run.model.encoders[stream])},
        projections={stream: copy.deepcopy(run.model.projections[stream])},
    )
    return _computing(model.bfloat16().eval(), stream, run, "bf16")


def _computing(model: Model, stream: str, run: TrainedModel, precision: Precision) -> Compute:
    def embed(field: Field) -> Tensor:
        with evaluating(model, run.device, precision):
            vectors = model.embed(stream, model.encode(stream, field.to(run.device)))
        return F.normalize(vectors.float().cpu(), dim=-1)

    return embed


def _examples(run: TrainedModel, stream: str) -> list[Field]:
    """Some generated values of the stream, and a single one that may be shorter; empty for an unknown kind."""
    modality = run.modalities[stream]
    values = made_up(modality, ROWS + 1)
    if not values:
        return []
    try:
        read = Preloaded.of(given({stream: values}, run.modalities), 1)
    except WeftError:
        return []
    views = [views[0] for views in read.values[stream]]
    return [modality.collate(views[:ROWS]), modality.collate(views[ROWS:])]


def _cosine(way: Compute, examples: list[Field], expected: list[Tensor]) -> float:
    """The minimum over the rows; 0 if this backend fails."""
    try:
        found = [way(example) for example in examples]
    except (
        Exception
    ):  # a layer that is not made for this precision; each runtime has errors of its own
        return 0.0
    pairs = zip(found, expected, strict=True)
    return min(float(F.cosine_similarity(one, other, dim=1).min()) for one, other in pairs)


def _seconds(ways: dict[str, Compute], example: Field, seconds: float) -> dict[str, float]:
    """The median time of each backend, measured in turns."""
    took: dict[str, list[float]] = {name: [] for name in ways}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or not all(took.values()):
        for name, way in ways.items():
            began = time.perf_counter()
            way(example)
            took[name].append(time.perf_counter() - began)
    return {name: statistics.median(found) for name, found in took.items()}


def _told(
    took: Mapping[str, float], cosines: Mapping[str, float], name: str, absent: list[str]
) -> str:
    told = [f"{one} {1000 * seconds:.1f} ms" for one, seconds in took.items()]
    lost = [f"{one} is too far from fp32" for one in cosines if one not in took]
    near = f", cosine to fp32 {cosines[name]:.4f}" if name != "fp32" else ""
    return f"{ROWS} values take {', '.join([*told, *lost, *absent])}{near}"
