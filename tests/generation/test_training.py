"""A GAN trains as any run does: it resumes to the same bits, two ranks are one, and the loop knows nothing of it."""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import tiny_drawings as tiny
from limits import LIMIT_S

import weft.training
from weft.core.tensors import read_tensors
from weft.runs.train import resume, train
from weft.training.log import COST

LAST = "checkpoints/step-00000004.safetensors"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.pictures(tmp_path_factory.mktemp("data") / "easy_vqa")


@pytest.fixture(scope="module")
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "whole"
    train(tiny.gan(data), folder)
    return folder


def log_lines(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_both_players_learn_and_the_generator_has_an_average(whole: Path) -> None:
    lines = log_lines(whole)
    for line in lines:
        for name in ("critic/critic/loss", "critic/critic/penalty", "generator/generator/loss"):
            assert name in line
    tensors, _ = read_tensors(whole / LAST)
    averaged = {name for name in tensors if "/average/" in name}
    assert averaged
    assert all(name.startswith("players/generator/average/") for name in averaged)


def test_a_gan_resumes_to_the_same_bits(whole: Path, data: Path, tmp_path: Path) -> None:
    made = tiny.gan(data)
    cut = tmp_path / "cut"
    train(made, cut)
    middle = cut / "checkpoints" / "step-00000002.safetensors"
    assert middle.exists()
    (cut / LAST).unlink()
    (cut / "model.safetensors").unlink(missing_ok=True)
    resume(cut)
    for name in (LAST, "model.safetensors"):
        assert (cut / name).read_bytes() == (whole / name).read_bytes(), name


def test_two_ranks_give_the_losses_of_one(whole: Path, data: Path, tmp_path: Path) -> None:
    two = tmp_path / "two"
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command = [*launcher, "--nproc-per-node", "2", tiny.__file__, str(data), str(two)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run(command, timeout=LIMIT_S, env=environment, check=True, capture_output=True)
    for here, there in zip(log_lines(two), log_lines(whole), strict=True):
        assert here.keys() == there.keys()
        for name in there.keys() - {"samples_per_second", *COST}:
            if re.search("loss|apart|penalty|contrast", name):
                assert here[name] == pytest.approx(there[name], abs=2e-5, rel=1e-4), name


def test_nothing_in_the_loop_knows_of_gans() -> None:
    """No name in the code of `weft.training`, whatever its docstrings give as an example."""
    for file in Path(weft.training.__path__[0]).rglob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        text = {v for node in ast.walk(tree) for v in vars(node).values() if isinstance(v, str)}
        names = {name for name in text if name.isidentifier() or ("." in name and " " not in name)}
        words = {word for name in names for word in re.findall(r"[a-z]+", name.lower())}
        assert not words & {"gan", "gans", "critic", "discriminator", "generators"}, file


def test_a_flow_trains_and_its_held_out_loss_is_printed(data: Path, tmp_path: Path) -> None:
    result = train(tiny.flow(data, steps=2), tmp_path / "flow")
    assert "loss/loss" in result.fit.metrics
    assert "generation/KID" in result.fit.metrics


def test_weights_without_their_average_are_sampled_beside_the_averaged_ones(
    data: Path, tmp_path: Path
) -> None:
    recipe = tiny.flow(data)
    train(recipe.replace(run=recipe.run.replace(evaluate_raw=True)), tmp_path / "raw")
    train(recipe, tmp_path / "plain")
    lines = [one for one in log_lines(tmp_path / "raw") if "validation/raw/loss/loss" in one]
    assert [one["step"] for one in lines] == [4]
    assert lines[0]["validation/raw/loss/loss"] != lines[0]["validation/loss/loss"]
    name = "generation-00000004.png"
    averaged, raw = (tmp_path / "raw" / "progress" / place for place in (name, f"raw/{name}"))
    assert averaged.read_bytes() == (tmp_path / "plain" / "progress" / name).read_bytes()
    assert raw.read_bytes() != averaged.read_bytes()
    assert not (tmp_path / "plain" / "progress" / "raw").exists()


def test_an_autoencoder_learns_of_rows_that_are_never_whole(data: Path, tmp_path: Path) -> None:
    """Each row has a picture or a text; what one head draws is in other rows than what the other one writes."""
    recipe = tiny.both_ways(data, "total_correlation", steps=2)
    lacking = recipe.data.replace(missing=0.5, optional=("image", "text"))
    train(recipe.replace(data=lacking), tmp_path / "run")
    steps = [line for line in log_lines(tmp_path / "run") if "evidence/image" in line]
    assert len(steps) == 2
    # In a small batch all rows may lack the same stream, of which nothing is learned then.
    assert all(sum(line[f"evidence/{head}"] for line in steps) > 0 for head in ("image", "text"))
