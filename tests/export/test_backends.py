"""The choice of how a tower is computed: by a trial, and never one that says something else."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

sys.path.insert(0, str(Path(__file__).parents[1] / "runs"))
sys.path.insert(0, str(Path(__file__).parents[1] / "commands"))

from random_run import run_of
from tiny_runs import scenes_run

from weft.core.errors import WeftError
from weft.core.records import Field
from weft.export import _tower, backends
from weft.export._kept import EXPORTED, kept
from weft.export.backends import fastest
from weft.runs.run import Run, load

__all__ = ["scenes_run"]


@pytest.fixture(scope="module")
def run() -> Run:
    return run_of()


def slow_down(monkeypatch: pytest.MonkeyPatch, seconds: dict[str, float]) -> None:
    monkeypatch.setattr(backends, "_seconds", lambda ways, *_: {n: seconds[n] for n in ways})


def test_it_says_what_the_model_says(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    slow_down(monkeypatch, {"fp32": 1.0, "bf16": 0.5})
    stream = "text"
    found = fastest(run, stream)
    assert found.name == "bf16"
    assert "fp32 1000.0 ms, bf16 500.0 ms" in found.why
    example, alone = backends._examples(run, stream)
    assert (len(example), len(alone)) == (backends.ROWS, 1)
    vectors = found.embed(example)
    with torch.inference_mode():
        expected = run.model.embed(stream, run.model.encode(stream, example))
    assert vectors.dtype == torch.float32
    assert F.cosine_similarity(vectors, expected).min() >= 0.99
    assert next(run.model.parameters()).dtype == torch.float32


def test_a_small_gain_is_none(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    slow_down(monkeypatch, {"fp32": 1.0, "bf16": 0.95})
    assert fastest(run, "text").name == "fp32"


def test_a_way_that_says_something_else_or_fails_is_not_taken(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow_down(monkeypatch, {"fp32": 1.0, "bf16": 0.1})

    def opposite(*_: object) -> Callable[[Field], torch.Tensor]:
        return lambda field: -backends._eager(run, "text")(field)

    def broken(*_: object) -> Callable[[Field], torch.Tensor]:
        def embed(field: Field) -> torch.Tensor:
            raise RuntimeError("not implemented for 'BFloat16'")

        return embed

    for way in (opposite, broken):
        monkeypatch.setattr(backends, "_bf16", way)
        found = fastest(run, "text")
        assert (found.name, "bf16 is too far from fp32" in found.why) == ("fp32", True)


def test_a_real_trial(run: Run) -> None:
    found = fastest(run, "text", 0.01)
    assert found.name in ("fp32", "bf16")
    assert "4 values take fp32" in found.why


@pytest.fixture
def own(scenes_run: Path, tmp_path: Path) -> Run:
    shutil.copytree(scenes_run, tmp_path / "run")
    return load(tmp_path / "run", "cpu")


def test_a_file_of_the_tower_is_tried_and_kept(own: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    ways = ("fp32", "bf16", "onnx", "openvino", "openvino bf16")
    slow_down(monkeypatch, {**dict.fromkeys(ways, 1.0), "onnx": 0.5})
    for stream in own.streams:
        found = fastest(own, stream)
        assert (found.name, "cosine to fp32 1.0000" in found.why) == ("onnx", True)
        for example in backends._examples(own, stream):
            torch.testing.assert_close(
                found.embed(example), backends._eager(own, stream)(example), atol=1e-5, rtol=0
            )
    files = sorted((own.folder / EXPORTED).iterdir())
    assert [path.name.partition("-")[0] for path in files] == sorted(own.streams)
    assert not any(letter in path.name for path in files for letter in ':*?"<>|')  # as on Windows
    monkeypatch.setattr(backends, "save_onnx", None)  # so that writing again would fail
    assert fastest(own, "text").name == "onnx"
    for path in files:
        path.write_bytes(path.read_bytes()[:100])
    found = fastest(own, "text")
    assert (found.name, "no onnx: " in found.why) == ("fp32", True)


def test_what_a_way_needs_is_said(own: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "EXTRAS", {"onnx": ("no_such_package",)})
    found = fastest(own, "text", 0.01)
    assert "onnx needs: pip install 'weft[onnx]'" in found.why
    assert not (own.folder / EXPORTED).exists()


def test_a_damaged_file_of_int8_is_named(own: Run) -> None:
    pytest.importorskip("openvino")
    place = kept(own.folder, "text", "int8")
    place.parent.mkdir()
    place.write_bytes(b"damaged")
    found = fastest(own, "text", 0.01)
    assert ("no openvino int8: " in found.why, "openvino bf16 " in found.why) == (True, True)


def test_a_damaged_file_of_fp32_does_not_keep_int8_from_being_tried(own: Run) -> None:
    pytest.importorskip("openvino")
    fastest(own, "text", 0.01)  # writes the file
    place = kept(own.folder, "text")
    shutil.copy(place, kept(own.folder, "text", "int8"))
    place.write_bytes(b"damaged")
    found = fastest(own, "text", 0.01)
    assert ("no onnx: " in found.why, "openvino int8" in found.why) == (True, True)
    assert "no openvino int8" not in found.why


def test_a_tower_that_is_no_graph_is_computed_by_the_model(
    own: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxscript")

    def refuse(*_: object) -> None:
        raise WeftError("the tower of stream 'text' is no graph that can be exported: a loop")

    monkeypatch.setattr(backends, "graph_of", refuse)
    found = fastest(own, "text", 0.01)
    assert found.name in ("fp32", "bf16")
    assert "no onnx: " in found.why


def test_an_open_end_is_a_large_number() -> None:
    sympy = pytest.importorskip("sympy")
    assert _tower._int(sympy.oo) == _tower._int(float("inf")) == _tower.MOST
    assert _tower._int(sympy.Integer(7)) == 7


OPENED = """
from pathlib import Path
from weft.export._onnx_file import needed, openvino, session
onnx = needed("onnx", "onnx", "a test")
needed("onnxscript", "onnx", "a test")
value = onnx.helper.make_tensor_value_info
node = onnx.helper.make_node("Identity", ["values"], ["embeddings"])
graph = onnx.helper.make_graph([node], "line", [value("values", 1, [1])], [value("embeddings", 1, [1])])
path = Path.home() / "line.onnx"
onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=10), path)
session(path, threads=1)
openvino(path, threads=1)
"""


def test_no_runtime_reports_its_use_to_its_makers(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("openvino")
    # With reports they leave the number of this device and unsent events in the home folder, but not under CI.
    kept = {k: v for k, v in os.environ.items() if k not in ("CI", "ORT_DISABLE_TELEMETRY")}
    home = {"HOME": str(tmp_path), "XDG_CACHE_HOME": ""}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", OPENED],
        env=kept | home,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [path.name for path in tmp_path.rglob("*")] == ["line.onnx"]
