"""Towers as ONNX and pt2: the run's embeddings, for any number of rows and any length; the JSON beside them."""

import json
import warnings
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pytest
import torch
from own_clip import own_clip
from tokenizers import Tokenizer

from weft.cli import main
from weft.core.errors import WeftError
from weft.core.records import Field
from weft.core.tensors import checksum_of
from weft.data.no_data import NoDataConfig
from weft.export import export
from weft.export._graphs import LEAST_COSINE
from weft.export._parity import parity
from weft.runs.parts import WEIGHTS
from weft.runs.run import Run, load

TEXTS = ["a red circle", "three green squares above a blue star", "a", "blue"]
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return own_clip(tmp_path_factory.mktemp("towers") / "run")


@pytest.fixture(scope="module")
def written(run: Run, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Library -> the folder that it is to load."""
    root = tmp_path_factory.mktemp("written")
    for library in ("onnx", "pt2"):
        lines = export(run, library, root / library)
        assert len(lines) == 2
        assert all("cosine to eager fp32 1.0000000" in line for line in lines)
    return {library: root / library for library in ("onnx", "pt2")}


def embedded(folder: Path, library: str, stream: str, inputs: dict[str, np.ndarray]) -> Any:
    """By the library alone, without weft."""
    if library == "onnx":
        runtime: Any = pytest.importorskip("onnxruntime")
        session = runtime.InferenceSession(folder / f"{stream}.onnx")
        return session.run(None, inputs)[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch's own insides
        module = torch.export.load(folder / f"{stream}.pt2").module()
        return module(*map(torch.from_numpy, inputs.values())).numpy()


@pytest.mark.parametrize("library", ["onnx", "pt2"])
def test_who_has_the_files_alone_gets_the_run_s_embeddings(
    library: str, run: Run, written: dict[str, Path]
) -> None:
    """Prepared as the JSON file says: other numbers of rows and other lengths than were traced."""
    folder = written[library]
    said = json.loads((folder / "text.json").read_text())
    tokenizer = Tokenizer.from_file(str(folder / said["prepare"]["learned"]))
    for texts in (TEXTS, TEXTS[:1], TEXTS * 3):
        rows = [encoding.ids for encoding in tokenizer.encode_batch(texts)]
        width = max(map(len, rows)) + 2  # padded further than needed
        ids = np.array([row + [0] * (width - len(row)) for row in rows])
        mask = np.array([[True] * len(row) + [False] * (width - len(row)) for row in rows])
        found = embedded(folder, library, "text", {"values": ids, "mask": mask})
        np.testing.assert_allclose(found, run.embed(text=texts), atol=1e-5, rtol=0)
    side = json.loads((folder / "image.json").read_text())["inputs"][0]["shape"][1]
    pixels = np.random.default_rng(0).integers(0, 256, (7, side, side, 3), dtype=np.uint8)
    for some in (pixels, pixels[:1]):
        found = embedded(folder, library, "image", {"values": some})
        np.testing.assert_allclose(found, run.embed(image=list(some)), atol=1e-5, rtol=0)


def test_the_json_says_what_goes_in(run: Run, written: dict[str, Path]) -> None:
    for library, suffix in (("onnx", ".onnx"), ("pt2", ".pt2")):
        text = json.loads((written[library] / "text.json").read_text())
        assert text["file"] == f"text{suffix}"
        assert text["precision"] == "fp32"
        assert text["weights"] == checksum_of(run.folder / WEIGHTS)
        assert [(one["name"], one["dtype"], one["shape"]) for one in text["inputs"]] == [
            ("values", "int64", ["batch", "length"]),
            ("mask", "bool", ["batch", "length"]),
        ]
        assert text["output"]["shape"] == ["batch", 12]
        image = json.loads((written[library] / "image.json").read_text())
        assert image["inputs"][0] | {"shape": []} == {
            "name": "values",
            "dtype": "uint8",
            "shape": [],
        }
        assert "channels last" in image["prepare"]["says"]
        assert image["parity"]["worst"] > LEAST_COSINE


def test_one_stream_on_the_command_line(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["export", str(run.folder), str(tmp_path / "out"), "--to", "pt2", "--stream", "image"]
    assert main(words) == 0
    assert "image.pt2: 4 rows in batches of 1, 2" in capsys.readouterr().out
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"image.pt2", "image.json"}


def test_what_cannot_be_exported_is_one_line(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    for said, words in (
        ("unknown stream of the run's embeddings 'audio'", ["--to", "onnx", "--stream", "audio"]),
        ("transformers holds the whole model, --stream", ["--to", "transformers", "--stream", "x"]),
        ("unknown library 'onxx': did you mean onnx?", ["--to", "onxx"]),
    ):
        assert main(["export", str(run.folder), str(out), *words]) == 2
        assert said in capsys.readouterr().err
        assert not list(tmp_path.iterdir())
    out.mkdir()
    assert main(["export", str(run.folder), str(out), "--to", "onnx"]) == 2
    assert "is there already, expected a new folder" in capsys.readouterr().err


def test_a_run_without_embeddings(run: Run, tmp_path: Path) -> None:
    silent = load(run.folder, device="cpu")
    silent.model.projections.clear()
    with pytest.raises(WeftError, match="this run has no embeddings, so it has no tower"):
        export(silent, "onnx", tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_without_the_rows_of_the_run(run: Run, tmp_path: Path) -> None:
    """They may lie elsewhere: what is made up then is said."""
    alone = load(copytree(run.folder, tmp_path / "run"), device="cpu")
    nothing = alone.recipe.data.replace(source=NoDataConfig())
    alone.recipe = alone.recipe.replace(data=nothing)
    (line,) = export(alone, "pt2", tmp_path / "out", streams=["text"])
    assert "made-up values, since no rows of the run are at hand; 16 rows" in line


def test_parity_of_what_is_no_number() -> None:
    fields = [Field(torch.eye(3))]
    found = parity(lambda field: field.values / 0, lambda field: field.values, fields)
    assert found.worst == -1
