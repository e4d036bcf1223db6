"""A stream's tower, from the values of its Field to unit-length embeddings, as one graph of torch.export."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch._dynamo import config as dynamo
from torch.export import Dim, ExportedProgram
from torch.fx import config as fx_config

from weft.architectures.model import Model
from weft.core.errors import WeftError, brief
from weft.core.records import Field
from weft.layers.padded import padded


def is_pixels(values: Tensor) -> bool:
    """Whether the values of a Field are pictures, uint8 (B, ..., 3, H, W). A tower's file takes them with channels
    last.
    """
    return values.dtype == torch.uint8 and values.ndim >= 4


def inputs_of(field: Field) -> dict[str, Tensor]:
    """The inputs of a tower's file: `values`, pixels as (B, ..., H, W, C), and `mask` (B, T) if the Field has one."""
    values = field.values.movedim(-3, -1) if is_pixels(field.values) else field.values
    found = {"values": values.contiguous()}
    return found if field.mask is None else {**found, "mask": field.mask}


class Tower(nn.Module):
    """Encoder, pooling, projection and normalisation of one stream.

    forward(values, mask=None): see `inputs_of`. Returns (B, E) float32 of unit length; zeros for a row without a
    token.
    """

    def __init__(self, model: Model, stream: str, *, pixels: bool) -> None:
        super().__init__()
        self.model = Model(
            {stream: model.encoders[stream]}, projections={stream: model.projections[stream]}
        )
        self.stream = stream
        self.pixels = pixels

    def forward(self, values: Tensor, mask: Tensor | None = None) -> Tensor:
        field = Field(values.movedim(-1, -3) if self.pixels else values, mask)
        # Detached, so that who loads the archive need not switch gradients off.
        return self.model.embed(self.stream, self.model.encode(self.stream, field)).detach()


@dataclass(frozen=True)
class Graph:
    """program: of `Tower`. lengths: index of a variable axis after the batch -> its minimum and maximum size."""

    program: ExportedProgram
    lengths: dict[int, tuple[int, int]]


def graph_of(model: Model, stream: str, example: Field) -> Graph:
    """Exports the tower of a model in evaluation mode, for any number of rows and, for a stream with a mask, any
    length.

    example: at least two rows and two positions. If torch.export cannot keep a length variable, it is fixed to that
    of the example. Raises WeftError with the reason if the tower cannot be exported.
    """
    inputs = inputs_of(example)
    tower = Tower(model, stream, pixels=is_pixels(example.values)).eval()
    sizes = {0: Dim.DYNAMIC} if example.mask is None else {0: Dim.DYNAMIC, 1: Dim.AUTO}
    try:
        with torch.no_grad(), padded(), _quickly(), quietly():
            program = torch.export.export(
                tower,
                tuple(inputs.values()),
                dynamic_shapes=tuple(dict(sizes) for _ in inputs),
                strict=False,
            )
    except Exception as error:  # torch.export says in many ways that a module is no graph
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise WeftError(
            f"the tower of stream '{stream}' is no graph that can be exported: {brief(reason[0])}"
        ) from error
    return Graph(program, _lengths(program))


def _lengths(program: ExportedProgram) -> dict[int, tuple[int, int]]:
    """The variable axes of the first input, without the batch."""
    ranges = {str(symbol): found for symbol, found in program.range_constraints.items()}
    values: Any = next(
        node for node in program.graph.nodes if node.name == program.graph_signature.user_inputs[0]
    )
    shape = values.meta["val"].shape
    return {
        place: (_int(ranges[str(size)].lower), _int(ranges[str(size)].upper))
        for place, size in enumerate(shape)
        if place and isinstance(size, torch.SymInt)
    }


def _int(bound: Any) -> int:
    """A bound as an int; an infinite bound, for which sympy has no int, becomes a large number."""
    try:
        return min(int(bound), MOST)
    except (
        TypeError,
        ValueError,
        OverflowError,
        AttributeError,
    ):  # sympy's infinity raises any of them
        return MOST


MOST = 1 << 31


@contextmanager
def _quickly() -> Iterator[None]:
    """Turns off torch's recording of the Python source of every node, which takes half of an export's time."""
    kept = fx_config.do_not_emit_stack_traces
    fx_config.do_not_emit_stack_traces = True
    try:
        with dynamo.patch(fake_tensor_cache_enabled=False):
            yield
    finally:
        fx_config.do_not_emit_stack_traces = kept


@contextmanager
def quietly() -> Iterator[None]:
    """Suppresses torch's internal messages: packages that it looks for, names that will change."""
    logger = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = logger.level
    logger.setLevel(logging.ERROR)  # "torchvision is not installed"
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*LeafSpec.* is deprecated", FutureWarning)
            warnings.filterwarnings("ignore", ".*is deprecated", DeprecationWarning, "torch")
            yield
    finally:
        logger.setLevel(level)
