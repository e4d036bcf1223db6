"""The choice of how a tower is computed: by a trial, and never one that says something else."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

sys.path.insert(0, str(Path(__file__).parents[1] / "runs"))

from random_run import run_of

from weft.core.records import Field
from weft.export import backends
from weft.export.backends import fastest
from weft.runs.run import Run


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
    example = backends._example(run, stream)
    assert example is not None
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
