"""Layers of an ONNX graph with constant weights, and statistics of their inputs over calibration rows."""

import copy
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from weft.core.records import Field
from weft.export._onnx_file import needed, outputs

Floats = npt.NDArray[np.float32]
STEPS = 255
"""Number of steps between the minimum and the maximum of an input."""
LARGEST_WEIGHT = 127


@dataclass(frozen=True)
class Layer:
    """A node with constant weights. weights: (O, I, K) of output o, input channel i of its group, position k.

    place: index of the node in the graph. axis: of the outputs in the file's weights; shape: of the weights with
    this axis first.
    """

    place: int
    axis: int
    shape: tuple[int, ...]
    weights: Floats
    groups: int

    @property
    def scales(self) -> Floats:
        """(O,) the scales of the weights; a channel of zeros has an arbitrary scale."""
        largest: Floats = np.abs(self.weights).max(axis=(1, 2))
        return np.where(largest > 0, largest / LARGEST_WEIGHT, 1).astype(np.float32)

    def rounded(self) -> npt.NDArray[np.int8]:
        """The rounded weights, in the shape of the file's weights."""
        whole = np.rint(self.weights / self.scales[:, None, None]).astype(np.int8)
        return np.moveaxis(whole.reshape(self.shape), 0, self.axis)

    def shift(self, means: Floats) -> Floats:
        """(O,) the change of the mean output by rounding the weights. means: (C,) means of the channels of the
        input.
        """
        scales = self.scales[:, None, None]
        lost = (self.weights - np.rint(self.weights / scales) * scales).sum(axis=2)
        of_group = means.reshape(self.groups, -1).repeat(len(lost) // self.groups, axis=0)
        found: Floats = (lost * of_group).sum(axis=1)
        return found


@dataclass(frozen=True)
class Range:
    """Statistics of a layer's input over the calibration rows: minimum and maximum, with 0 between them, and (C,)
    channel means.
    """

    least: float
    largest: float
    means: Floats

    @property
    def scale(self) -> float:
        return max(self.largest - self.least, 1e-8) / STEPS

    @property
    def zero(self) -> int:
        return round(-self.least / self.scale)


def layers_of(model: Any) -> list[Layer]:
    """Convolutions and linear layers of an ONNX model, in order."""
    onnx = needed("onnx", "onnx", "an export to ONNX")
    constants = {one.name: one for one in model.graph.initializer}
    found = []
    for place, node in enumerate(model.graph.node):
        if node.op_type not in ("Conv", "Gemm", "MatMul") or node.input[1] not in constants:
            continue
        weights = onnx.numpy_helper.to_array(constants[node.input[1]])
        options = {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}
        linear = node.op_type != "Conv"
        plain = not options.get("transA") and options.get("alpha", 1) == options.get("beta", 1) == 1
        if weights.dtype != np.float32 or (linear and weights.ndim != 2) or not plain:
            continue
        if len(node.input) > 2 and node.input[2] not in constants:
            continue
        axis = 1 if linear and not options.get("transB") else 0
        by_output = np.moveaxis(weights, axis, 0)
        rows = by_output.reshape(*by_output.shape[:2], -1)
        found.append(Layer(place, axis, by_output.shape, rows, int(options.get("group", 1))))
    return found


def ranges_of(model: Any, layers: Sequence[Layer], rows: Sequence[Field]) -> dict[str, Range]:
    """Input name -> Range, for every layer. The graph itself computes minimum, maximum and mean, so that little
    memory is used.
    """
    onnx = needed("onnx", "onnx", "an export to ONNX")
    measured = copy.deepcopy(model)
    graph = measured.graph
    channels = {graph.node[one.place].input[0]: one for one in layers}
    names = []
    for name, layer in channels.items():
        count = layer.weights.shape[1] * layer.groups
        # (rows, channels, places): a linear layer has its channels last and no places.
        shape = [0, count, -1] if graph.node[layer.place].op_type == "Conv" else [-1, count, 1]
        constants = {f"{name}/like/shape": shape, f"{name}/like/axes": [0, 2]}
        graph.initializer.extend(
            onnx.numpy_helper.from_array(np.array(value), key) for key, value in constants.items()
        )
        nodes = [onnx.helper.make_node("Reshape", [name, f"{name}/like/shape"], [f"{name}/like"])]
        for kind in ("Min", "Max", "Mean"):
            names.append(f"{name}/like/{kind}")
            inputs = [f"{name}/like", f"{name}/like/axes"]
            nodes.append(onnx.helper.make_node(f"Reduce{kind}", inputs, [names[-1]], keepdims=0))
        graph.node.extend(nodes)
    graph.output.extend(
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names
    )
    with tempfile.TemporaryDirectory() as work:
        made = Path(work) / "measured.onnx"
        onnx.save(measured, str(made))
        compute = outputs(made, names)
        found = [dict(zip(names, compute(row), strict=True)) for row in rows]
    return {
        name: Range(
            min(0.0, *(float(one[f"{name}/like/Min"].min()) for one in found)),
            max(0.0, *(float(one[f"{name}/like/Max"].max()) for one in found)),
            np.mean([one[f"{name}/like/Mean"] for one in found], axis=0),
        )
        for name in channels
    }
