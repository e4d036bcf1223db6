"""Converts a tower's ONNX file in fp32 to one whose convolutions and linear layers compute in 8 bits.

Weights have one symmetric scale per output channel. The input of a layer has one scale and zero point, from its
minimum and maximum over the calibration rows. Both are QuantizeLinear and DequantizeLinear nodes, which OpenVINO
computes in integers (Jacob et al. 2018, section 2.1; Nagel et al. 2021, section 2). Inputs after an activation are
positive, so rounding the weights shifts the mean of a layer's output; the bias is corrected by this shift (Nagel et
al. 2019, section 4.2). Sums, norms and attention stay in fp32.
"""

import copy
import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from weft.core.errors import WeftError
from weft.core.records import Field
from weft.export._int8_layers import Layer, Range, layers_of, ranges_of
from weft.export._onnx_file import needed, session
from weft.export._parity import parity

AIM = 0.995
"""Minimum cosine of a calibration row to the file in fp32; layers stay in fp32 until it is reached. It is above the
0.99 that other rows must reach, because the scales were chosen on these rows.
"""
MOST_IN_FP32 = 0.5
"""Maximum share of layers in fp32; with more the file would not be fast."""
TRIED = 16
"""Number of calibration rows on which each layer is tried alone."""


def to_int8(path: Path, rows: Sequence[Field]) -> dict[str, int]:
    """Replaces the file by its int8 form. rows: for calibration, one per Field. Returns the number of layers, of
    those in fp32, and of the rows.

    If the file with all layers in int8 is further from fp32 than `AIM`, the layers with the largest error of their
    own stay in fp32: one, two, four and so on. Raises WeftError if more than half of the layers would have to.
    """
    onnx = needed("onnx", "onnx", "an export to ONNX")
    model = onnx.load(str(path))
    layers = layers_of(model)
    if not layers:
        raise WeftError("the tower has no convolution or linear layer to compute in int8")
    ranges = ranges_of(model, layers, rows)
    expected = session(path)

    def worst(chosen: Collection[Layer], count: int) -> float:
        with tempfile.TemporaryDirectory() as work:
            made = Path(work) / path.name
            onnx.save(with_int8(model, chosen, ranges), str(made))
            return parity(session(made), expected, rows[:count]).worst

    chosen, reached = layers, worst(layers, len(rows))
    alone: list[float] = []
    kept = 1
    while reached < AIM:
        if kept > MOST_IN_FP32 * len(layers):
            raise WeftError(
                f"the tower has a cosine of {reached:.4f} to fp32 with {len(chosen)} of {len(layers)} layers in int8, "
                f"expected {AIM} with half of them"
            )
        alone = alone or [worst([layer], TRIED) for layer in layers]
        worst_first = sorted(range(len(layers)), key=alone.__getitem__)
        chosen = [layers[place] for place in sorted(worst_first[kept:])]
        reached = worst(chosen, len(rows))
        kept *= 2
    onnx.save(with_int8(model, chosen, ranges), str(path))
    return {
        "layers": len(layers),
        "in_fp32": len(layers) - len(chosen),
        "calibrated_with": len(rows),
    }


def with_int8(model: Any, layers: Collection[Layer], ranges: Mapping[str, Range]) -> Any:
    """A copy of the model in which these layers compute in 8 bits."""
    made = copy.deepcopy(model)
    graph = _Graph(made)
    for layer in layers:
        graph.convert(layer, ranges)
    graph.close()
    return made


class _Graph:
    """An ONNX model that is modified: new nodes before and after its own, new constants."""

    def __init__(self, model: Any) -> None:
        self.onnx = needed("onnx", "onnx", "an export to ONNX")
        self.graph = model.graph
        self.nodes = list(self.graph.node)
        self.constants = {one.name: one for one in self.graph.initializer}
        self.before: dict[int, list[Any]] = {}
        self.after: dict[int, list[Any]] = {}
        self.rounded: dict[str, str] = {}

    def convert(self, layer: Layer, ranges: Mapping[str, Range]) -> None:
        """Converts weights and input of the layer to 8 bits, and corrects its bias."""
        node = self.nodes[layer.place]
        name = node.output[0]
        source, range_ = node.input[0], ranges[node.input[0]]
        before = self.before.setdefault(layer.place, [])
        if source not in self.rounded:
            scale = self._constant(f"{source}/input/scale", np.float32(range_.scale))
            zero = self._constant(f"{source}/input/zero", np.uint8(range_.zero))
            before.append(
                self._node("QuantizeLinear", [source, scale, zero], f"{source}/input/int8")
            )
            self.rounded[source] = f"{source}/input/floats"
            inputs = [f"{source}/input/int8", scale, zero]
            before.append(self._node("DequantizeLinear", inputs, self.rounded[source]))
        node.input[0] = self.rounded[source]
        scale = self._constant(f"{name}/weight/scale", layer.scales)
        weight = self._constant(f"{name}/weight/int8", layer.rounded())
        # Zeros, which are the default. ONNX Runtime converts weights for processors without VNNI only if they are
        # written down.
        zeros = self._constant(f"{name}/weight/zero", np.zeros(layer.scales.shape, np.int8))
        inputs = [weight, scale, zeros]
        before.append(
            self._node("DequantizeLinear", inputs, f"{name}/weight/floats", axis=layer.axis)
        )
        node.input[1] = f"{name}/weight/floats"
        self._shift(layer, node, layer.shift(range_.means))

    def _shift(self, layer: Layer, node: Any, shift: Any) -> None:
        name = node.output[0]
        if node.op_type == "MatMul":
            node.output[0] = f"{name}/product"
            bias = self._constant(f"{name}/bias/shifted", shift)
            self.after[layer.place] = [self._node("Add", [node.output[0], bias], name)]
            return
        if len(node.input) > 2:
            shift = shift + self.onnx.numpy_helper.to_array(self.constants[node.input[2]])
            del node.input[2]
        node.input.append(self._constant(f"{name}/bias/shifted", shift))

    def close(self) -> None:
        """Orders the nodes and removes constants that none of them reads."""
        ordered = [
            one
            for place, node in enumerate(self.nodes)
            for one in (*self.before.get(place, ()), node, *self.after.get(place, ()))
        ]
        read = {name for node in ordered for name in node.input}
        kept = [one for name, one in self.constants.items() if name in read]
        for field, values in (("node", ordered), ("initializer", kept)):
            copies = [copy.deepcopy(value) for value in values]
            self.graph.ClearField(field)
            getattr(self.graph, field).extend(copies)

    def _constant(self, name: str, value: Any) -> str:
        self.constants[name] = self.onnx.numpy_helper.from_array(np.asarray(value), name)
        return name

    def _node(self, kind: str, inputs: list[str], output: str, **options: int) -> Any:
        return self.onnx.helper.make_node(kind, inputs, [output], **options)
