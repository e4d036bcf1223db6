"""int8: as PyTorch's own fake quantisation computes it, the bias with its shift, and layers left in fp32."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1] / "commands"))

from tiny_runs import scenes_run

from weft.cli import main
from weft.core.errors import WeftError
from weft.core.records import Field
from weft.data.no_data import NoDataConfig
from weft.export import _int8, backends, export
from weft.export._int8 import to_int8, with_int8
from weft.export._int8_layers import layers_of, ranges_of
from weft.export._kept import cosine_said, kept
from weft.export._onnx_file import OPSET, session
from weft.export._rows import Values
from weft.export.backends import INT8, fastest
from weft.runs.run import load

__all__ = ["scenes_run"]
onnx: Any = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")


def weights(generator: torch.Generator) -> dict[str, Tensor]:
    shapes = {"first": (8, 3, 3, 3), "depthwise": (8, 1, 3, 3), "hidden": (8, 16), "last": (6, 16)}
    found = {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    return {**found, "bias": torch.randn(8, generator=generator), "out": torch.randn(6)}


def write(path: Path, given: dict[str, Tensor]) -> Path:
    """Convolution, one with groups, a product without bias and a linear layer whose weights are (out, in)."""
    make = onnx.helper.make_node
    nodes = [
        make("Conv", ["values", "first", "bias"], ["a"], pads=[1, 1, 1, 1]),
        make("Relu", ["a"], ["b"]),
        make("Conv", ["b", "depthwise"], ["c"], group=8, pads=[1, 1, 1, 1]),
        make("Relu", ["c"], ["d"]),
        make("ReduceMean", ["d", "axes"], ["e"], keepdims=0),
        make("MatMul", ["e", "hidden"], ["f"]),
        make("Gemm", ["f", "last", "out"], ["embeddings"], transB=1),
    ]
    constants = {**{name: value.numpy() for name, value in given.items()}, "axes": np.array([2, 3])}
    kind = onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        nodes,
        "tower",
        [onnx.helper.make_tensor_value_info("values", kind, ["batch", 3, 8, 8])],
        [onnx.helper.make_tensor_value_info("embeddings", kind, ["batch", 6])],
        [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    opsets = [onnx.helper.make_opsetid("", OPSET)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=9), str(path))
    return path


def rows(count: int) -> list[Field]:
    generator = torch.Generator().manual_seed(1)
    return [Field(torch.rand(1, 3, 8, 8, generator=generator)) for _ in range(count)]


LAYERS = {
    "first": lambda x, w, b: F.conv2d(x, w, b, padding=1),
    "depthwise": lambda x, w, b: F.conv2d(x, w, b, padding=1, groups=8),
    "hidden": lambda x, w, b: x @ w + b,
    "last": F.linear,
}


def in_torch(given: dict[str, Tensor], x: Tensor, inputs: dict[str, Tensor] | None) -> Any:
    """(the inputs of every layer, the output) of the same tower in PyTorch; with its own fake quantisation by the ranges of
    these inputs, where some are given, and biases that take back what rounding takes off the mean output."""
    seen = {}
    biases = {
        "first": given["bias"],
        "depthwise": torch.zeros(8),
        "hidden": torch.zeros(16),
        "last": given["out"],
    }
    for name, compute in LAYERS.items():
        seen[name], weight, bias = x, given[name], biases[name]
        if inputs is not None:
            like = inputs[name]
            least, largest = min(0.0, float(like.min())), max(0.0, float(like.max()))
            scale = (largest - least) / 255
            x = torch.fake_quantize_per_tensor_affine(x, scale, round(-least / scale), 0, 255)
            axis = 1 if name == "hidden" else 0
            scales = weight.abs().amax([d for d in range(weight.ndim) if d != axis]) / 127
            zeros = torch.zeros_like(scales)
            near = torch.fake_quantize_per_channel_affine(weight, scales, zeros, axis, -127, 127)
            # The lost output for an input that is its mean everywhere; in the middle, away from the padding.
            mean = like.mean([d for d in range(like.ndim) if d != 1])
            even = mean.expand(1, 3, 3, len(mean)).movedim(-1, 1) if like.ndim == 4 else mean[None]
            lost = compute(even, weight - near, torch.zeros_like(bias))
            bias = bias + (lost[0, :, 1, 1] if like.ndim == 4 else lost[0])
            weight = near
        x = compute(x, weight, bias)
        x = x.relu() if name in ("first", "depthwise") else x
        x = x.mean((2, 3)) if name == "depthwise" else x
    return seen, x


def test_it_is_fake_quantisation_of_pytorch(tmp_path: Path) -> None:
    given = weights(torch.Generator().manual_seed(0))
    given["depthwise"][2] = 0  # a channel that is dead
    path = write(tmp_path / "tower.onnx", given)
    calibration, others = rows(12), torch.cat([one.values for one in rows(20)[12:]])
    inputs, _ = in_torch(given, torch.cat([one.values for one in calibration]), None)
    _, plain = in_torch(given, others, None)
    _, expected = in_torch(given, others, inputs)
    torch.testing.assert_close(session(path)(Field(others)), plain)
    model = onnx.load(str(path))
    layers = layers_of(model)
    made = with_int8(model, layers, ranges_of(model, layers, calibration))
    onnx.checker.check_model(made, full_check=True)
    onnx.save(made, str(tmp_path / "int8.onnx"))
    found = session(tmp_path / "int8.onnx")(Field(others))
    # A value that lies between two steps may be rounded either way.
    torch.testing.assert_close(found, expected, atol=0.02 * float(plain.std()), rtol=0)
    assert (found - expected).abs().mean() < 0.2 * (found - plain).abs().mean()
    kinds = [node.op_type for node in made.graph.node]
    assert (kinds.count("QuantizeLinear"), kinds.count("DequantizeLinear")) == (4, 8)
    sizes = {one.name: one.data_type for one in made.graph.initializer}
    assert not {"first", "depthwise", "hidden", "last"} & set(sizes)


def test_the_shift_of_the_bias_brings_it_nearer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = weights(torch.Generator().manual_seed(0))
    path = write(tmp_path / "tower.onnx", given)
    model = onnx.load(str(path))
    layers, calibration = layers_of(model), rows(16)
    ranges = ranges_of(model, layers, calibration)
    values = Field(torch.cat([one.values for one in rows(80)[16:]]))
    far = {}
    for shifted in (True, False):
        if not shifted:
            monkeypatch.setattr(_int8.Layer, "shift", lambda one, _: np.zeros(one.shape[0], "f4"))
        onnx.save(with_int8(model, layers, ranges), str(tmp_path / "int8.onnx"))
        far[shifted] = (session(tmp_path / "int8.onnx")(values) - session(path)(values)).mean(0)
    assert far[True].norm() < 0.8 * far[False].norm()


def test_the_layer_that_loses_most_stays_in_fp32(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = weights(torch.Generator().manual_seed(0))
    given["depthwise"][2] = 0
    given["hidden"][2] = 3000  # of an input that is always 0: beside it the others become nothing
    path = write(tmp_path / "tower.onnx", given)
    before = session(path)
    monkeypatch.setattr(_int8, "AIM", 0.9999)
    assert to_int8(path, rows(16)) == {"layers": 4, "in_fp32": 1, "calibrated_with": 16}
    names = {one.name for one in onnx.load(str(path)).graph.initializer}
    assert "hidden" in names
    assert not {"first", "depthwise", "last"} & names
    values = Field(torch.cat([one.values for one in rows(30)[16:]]))
    assert F.cosine_similarity(before(values), session(path)(values)).min() > 0.99


def test_a_tower_that_cannot_be_int8_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "tower.onnx", weights(torch.Generator().manual_seed(0)))
    content = path.read_bytes()
    monkeypatch.setattr(_int8, "AIM", 1.1)
    with pytest.raises(WeftError, match=r"a cosine of [01].\d+ to fp32 with 2 of 4 layers in int8"):
        to_int8(path, rows(4))
    assert path.read_bytes() == content


@pytest.fixture
def folder(scenes_run: Path, tmp_path: Path) -> Path:
    return shutil.copytree(scenes_run, tmp_path / "run")


def test_a_run_is_exported_and_served_in_int8(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["export", str(folder), str(tmp_path / "out"), "--to", "onnx", "--int8"]) == 0
    said = capsys.readouterr().out
    run = load(folder, "cpu")
    for stream in run.streams:
        described = json.loads((tmp_path / "out" / f"{stream}.json").read_text())
        assert described["precision"] == "int8"
        assert described["in_fp32"] <= described["layers"] / 2
        assert 0.99 <= described["parity"]["worst"] < 1
        place = kept(folder, stream, "int8")
        assert f"{place}: weft serve tries it" in said
        assert place.read_bytes() == (tmp_path / "out" / f"{stream}.onnx").read_bytes()
        assert cosine_said(place) == described["parity"]["worst"]
    pytest.importorskip("openvino")
    monkeypatch.setattr(
        backends, "_seconds", lambda ways, *_: {n: 0.1 if n == INT8 else 1.0 for n in ways}
    )
    found = fastest(run, "image")
    assert found.name == INT8
    (example, _) = backends._examples(run, "image")
    assert (
        found.embed(example).shape
        == run.model.embed("image", run.model.encode("image", example)).shape
    )
    kept(folder, "image", "int8").with_suffix(".json").write_text("{}")
    assert fastest(run, "image").name == "fp32"


@pytest.mark.parametrize(("count", "calibrated"), [(0, 0), (1, 0), (2, 1), (5, 2), (128, 64)])
def test_rows_for_calibration_are_others_than_those_measured(count: int, calibrated: int) -> None:
    items = [torch.tensor([place]) for place in range(count)]
    measured, calibration = Values(cast(Any, None), items, real=True).split(64)
    assert len(calibration.items) == calibrated
    together = [int(item) for item in (*measured.items, *calibration.items)]
    assert sorted(together) == list(range(count))


def test_without_rows_there_is_no_int8(folder: Path, tmp_path: Path) -> None:
    run = load(folder, "cpu")
    run.recipe = run.recipe.replace(data=run.recipe.data.replace(source=NoDataConfig()))
    with pytest.raises(WeftError, match="int8 needs two validation rows or more whose stream"):
        export(run, "onnx", tmp_path / "out", int8=True)
    assert not (tmp_path / "out").exists()


def test_int8_is_for_onnx_alone(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for library in ("pt2", "transformers"):
        words = ["export", str(folder), str(tmp_path / "out"), "--to", library, "--int8"]
        assert main(words) == 2
        assert f"{library} is written in fp32, --int8 is for onnx" in capsys.readouterr().err
