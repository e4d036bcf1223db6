"""How a tower is computed for many callers: each way is tried for a moment, and the fastest that says the same is taken."""

import copy
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from weft.architectures.model import Model
from weft.core.errors import WeftError
from weft.core.media import Media
from weft.core.precision import Precision
from weft.core.records import Field
from weft.inference.embedding import evaluating
from weft.inference.given import given
from weft.inference.preloaded import Preloaded
from weft.modalities.stream_kinds import kind_of_stream
from weft.runs.trained import TrainedModel

LEAST_COSINE = 0.99
"""To what the model says in fp32; a way that is further from it is not taken."""
LEAST_GAIN = 1.1
"""How many times as fast as the ways before it a way has to be: the timing is short."""
ROWS = 4
"""Of the trial: what a server answers together while it is half busy."""
WORDS = [
    "a",
    "red",
    "dog",
    "runs",
    "over",
    "the",
    "green",
    "grass",
    "and",
    "two",
    "small",
    "children",
    "look",
    "at",
    "it",
]
Compute = Callable[[Field], Tensor]


@dataclass(frozen=True)
class Backend:
    """embed: the values of a Field -> (B, E) float32 on the CPU, of unit length. why: what was measured."""

    name: str
    why: str
    embed: Compute


def fastest(run: TrainedModel, stream: str, seconds: float = 1.0) -> Backend:
    """The fastest way to embed this stream, by a trial of about so many seconds."""
    ways: dict[str, Compute] = {"fp32": _eager(run, stream)}
    if run.device.type == "cuda":
        return Backend("fp32", "the model is on a GPU", ways["fp32"])
    ways["bf16"] = _bf16(run, stream)
    example = _example(run, stream)
    if example is None:
        return Backend("fp32", "nothing is known to try other ways with", ways["fp32"])
    expected = ways["fp32"](example)
    cosines = {name: _cosine(way, example, expected) for name, way in ways.items()}
    tried = {name: way for name, way in ways.items() if cosines[name] >= LEAST_COSINE}
    took = _seconds(tried, example, seconds)
    name = "fp32"
    for other in tried:
        if took[other] * LEAST_GAIN < took[name]:
            name = other
    return Backend(name, _told(took, cosines, name), ways[name])


def _eager(run: TrainedModel, stream: str) -> Compute:
    return _computing(run.model, stream, run, "fp32")


def _bf16(run: TrainedModel, stream: str) -> Compute:
    """With weights that are bf16 already: casting them takes longer than a short text."""
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


def _example(run: TrainedModel, stream: str) -> Field | None:
    """Some values of the stream, made up; None of a kind of which nothing is known."""
    generator = np.random.default_rng(0)
    kind = kind_of_stream(run.modalities[stream])
    makers: dict[str, Callable[[], object]] = {
        "text": lambda: " ".join(generator.choice(WORDS, 10)),
        "image": lambda: Media.array_of(
            generator.integers(0, 256, (240, 320, 3), dtype=np.uint8), "image"
        ),
        "audio": lambda: Media.sound(generator.normal(0, 0.1, 32_000).astype(np.float32), 16_000),
        "video": lambda: Media.frames(
            generator.integers(0, 256, (50, 120, 160, 3), dtype=np.uint8), 25
        ),
    }
    if kind not in makers:
        return None
    try:
        read = Preloaded.of(
            given({stream: [makers[kind]() for _ in range(ROWS)]}, run.modalities), 1
        )
        views = [views[0] for views in read.values[stream]]
        return run.modalities[stream].collate(views)
    except WeftError:
        return None


def _cosine(way: Compute, example: Field, expected: Tensor) -> float:
    """The least of the rows; 0 where it cannot be computed so."""
    try:
        found = way(example)
    except RuntimeError:  # a layer that is not made for this precision
        return 0.0
    return float(F.cosine_similarity(found, expected, dim=1).min())


def _seconds(ways: dict[str, Compute], example: Field, seconds: float) -> dict[str, float]:
    """The median time of each, by turns."""
    took: dict[str, list[float]] = {name: [] for name in ways}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or not all(took.values()):
        for name, way in ways.items():
            began = time.perf_counter()
            way(example)
            took[name].append(time.perf_counter() - began)
    return {name: statistics.median(found) for name, found in took.items()}


def _told(took: dict[str, float], cosines: dict[str, float], name: str) -> str:
    told = [f"{one} {1000 * seconds:.1f} ms" for one, seconds in took.items()]
    lost = [f"{one} is too far from fp32" for one in cosines if one not in took]
    near = f", cosine to fp32 {cosines[name]:.4f}" if name != "fp32" else ""
    return f"{ROWS} values take {', '.join([*told, *lost])}{near}"
