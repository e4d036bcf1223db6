"""A recipe with two players, from the command line."""

import json
from pathlib import Path

import pytest
from safetensors import safe_open
from tiny_runs import done, refused, scenes_flags

PLAYERS = """
recipe: scenes
objectives:
  sigmoid: {class: weft.objectives.contrastive.SigmoidContrastiveConfig}
players:
  images: {objectives: [contrastive], parameters: [encoders.image, projections.image]}
  texts: {objectives: [sigmoid], parameters: %s, every: 2, optim: {lr: 0.01}}
"""


def recipe_file(folder: Path, parameters: str = "[encoders.text, projections.text]") -> Path:
    file = folder / "mine.yaml"
    file.write_text(PLAYERS % parameters)
    return file


def test_each_player_trains_its_tower(tmp_path: Path) -> None:
    run = tmp_path / "run"
    words = scenes_flags(run__steps=4, run__log_every=1)
    done("train", recipe_file(tmp_path), *words, "--out", run)
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3, 4]
    assert all("images/contrastive/accuracy" in line for line in lines)
    assert ["texts/sigmoid/loss" in line for line in lines] == [False, True, False, True]
    assert lines[1]["texts/lr"] > lines[1]["images/lr"]
    with safe_open(next((run / "checkpoints").glob("*.safetensors")), framework="pt") as file:
        moments = [name for name in file.keys() if name.endswith("/exp_avg")]  # noqa: SIM118
    images = [name for name in moments if name.startswith("players/images/")]
    assert any("encoders.image" in name for name in images)
    assert not any("encoders.text" in name or "sigmoid" in name for name in images)
    assert "trained 4 steps" in done("train", "--resume", run)
    assert "retrieval" in done("evaluate", run)


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        (
            "[encoders.text]",
            "parameter model.projections.text.layers.0.weight belongs to no player",
        ),
        (
            "[encoders, projections.text]",
            "encoders.image.layers.0.weight belongs to players images and",
        ),
        ("[encoders.words]", "unknown trainable parameters of player 'texts'"),
    ],
)
def test_parameters_are_checked_before_training(
    tmp_path: Path, parameters: str, expected: str
) -> None:
    run, file = tmp_path / "run", recipe_file(tmp_path, parameters)
    assert expected in refused("train", file, *scenes_flags(), "--out", run)
    assert not (run / "log.jsonl").exists()
    assert not (run / "recipe.json").exists()


def test_an_objective_that_is_not_there(tmp_path: Path) -> None:
    file = recipe_file(tmp_path)
    file.write_text(file.read_text().replace("[sigmoid]", "[sigmoit]"))
    line = refused("train", file, *scenes_flags(), "--out", tmp_path / "run")
    assert "unknown objective of players.texts 'sigmoit': did you mean sigmoid?" in line
