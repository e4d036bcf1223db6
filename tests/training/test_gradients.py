"""Gradient rules: one from outside the package is given in a recipe, and nothing is changed for it."""

import csv
from pathlib import Path

import private_rule as private
import pytest
import torch
import torch.nn.functional as F
import two_ranks
from private_rule import CLASSES, DIM, ROWS, PerRowConfig, batch_at, norm_of, player_of
from torch import Tensor

from weft.architectures.model import ModelConfig
from weft.core.errors import WeftError
from weft.data.sources import FilesConfig
from weft.data.targets.classes import ClassesConfig
from weft.decoders.classifier import ClassifierConfig
from weft.encoders.transformer_text import TextTransformerConfig
from weft.heads.classes import ClassOutput
from weft.heads.head import HeadConfig
from weft.modalities.text import TextConfig
from weft.objectives.classification import ClassificationConfig
from weft.runs.parts import load_recipe
from weft.runs.recipe import DataConfig, Recipe
from weft.runs.train import resume, train
from weft.training.config import RunConfig
from weft.training.gradients import AccumulateAndClip
from weft.training.optim import OptimConfig
from weft.training.player import Player
from weft.training.players import PlayerConfig, build_players
from weft.training.step import TrainStep


def gradients(rule: PerRowConfig | None, batch) -> list[Tensor]:
    """What the rule leaves for the optimizer."""
    player = player_of(rule)
    player.rule(player, batch)
    return [p.grad for p in player.parameters]


def test_the_gradient_is_the_mean_of_clipped_rows() -> None:
    batch, player = batch_at(0), player_of(None)
    rows, norms = [], []
    for row in range(ROWS):
        part = batch.rows(slice(row, row + 1))
        model = player.step.model
        logits = model.decode("answer", {"text": model.encode("text", part.inputs["text"])})
        cost = F.cross_entropy(logits, part.targets["answer"])
        own = torch.autograd.grad(cost, player.parameters)
        norms.append(float(norm_of(own)))
        rows.append([gradient * min(1.0, 0.5 / norms[-1]) for gradient in own])
    expected = [torch.stack(column).mean(0) for column in zip(*rows, strict=True)]
    assert min(norms) > 0.5  # all rows are clipped
    torch.testing.assert_close(gradients(PerRowConfig(norm=0.5), batch), expected)


def test_one_row_moves_the_gradient_by_no_more_than_it_may() -> None:
    batch, other = batch_at(0), batch_at(1)
    changed = batch.take(torch.tensor([0, 1, 2, 2]))
    changed.inputs["text"].values[3] = other.inputs["text"].values[3]

    def moved(rule: PerRowConfig | None) -> float:
        pairs = zip(gradients(rule, batch), gradients(rule, changed), strict=True)
        return float(norm_of([one - two for one, two in pairs]))

    assert moved(PerRowConfig(norm=0.01)) <= 2 * 0.01 / ROWS + 1e-7
    assert moved(None) > 2 * 0.01 / ROWS


def test_noise_is_of_the_size_that_was_asked_for() -> None:
    quiet, loud = (gradients(PerRowConfig(0.5, noise), batch_at(0)) for noise in (0.0, 4.0))
    noise = torch.cat([(a - b).flatten() for a, b in zip(loud, quiet, strict=True)])
    assert float(noise.std()) == pytest.approx(4.0 * 0.5 / ROWS, rel=0.1)


def test_two_ranks_are_as_one(tmp_path: Path) -> None:
    found, one = two_ranks.found(private.__file__, tmp_path), private.trained(private.NOISY)
    assert found.keys() == one.keys()
    for name, value in one.items():
        torch.testing.assert_close(found[name], value, msg=name, atol=1e-5, rtol=1e-4)


def recipe(folder: Path, steps: int) -> Recipe:
    with (folder / "rows.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["id", "text", "answer", "split"])
        for n in range(24):
            split = "train" if n < 20 else "validation"
            table.writerow([f"row-{n}", f"word {'abc'[n % 3]} {n}", "xyz"[n % 3], split])
    words = TextTransformerConfig(40, dim=DIM, depth=1, heads=2, max_length=8)
    head = HeadConfig(ClassifierConfig(DIM, CLASSES), ClassOutput("answer"), context="text")
    return Recipe(
        data=DataConfig(
            source=FilesConfig(folder / "rows.csv"),
            streams={"text": TextConfig(kind="word", min_frequency=1, max_length=8)},
            targets={"answer": ClassesConfig("answer")},
        ),
        model=ModelConfig(encoders={"text": words}, heads={"answer": head}),
        objectives={"answer": ClassificationConfig()},
        tasks={},
        optim=OptimConfig(lr=1e-2),
        rule=PerRowConfig(norm=0.5, noise=0.1),
        run=RunConfig(steps=steps, batch_size=ROWS, log_every=1, checkpoint_every=2, device="cpu"),
    )


def test_a_recipe_with_the_rule_is_trained_and_resumed_to_the_same_bits(tmp_path: Path) -> None:
    made = recipe(tmp_path, steps=4)
    whole = train(made, tmp_path / "whole").fit.model.read_bytes()
    assert load_recipe(tmp_path / "whole").rule == made.rule
    train(made, tmp_path / "cut")
    (tmp_path / "cut" / "checkpoints" / "step-00000004.safetensors").unlink()
    assert resume(tmp_path / "cut", trust=("private_rule",)).fit.model.read_bytes() == whole
    plain = train(made.replace(rule=None), tmp_path / "plain")
    assert plain.fit.model.read_bytes() != whole


def players(
    rule: PerRowConfig | None, own: PerRowConfig | None, accumulate: int = 1
) -> list[Player]:
    step = TrainStep(private.model(), {n: ClassificationConfig().build() for n in ("one", "two")})
    shares = {
        "reads": PlayerConfig(("one",), ("encoders",), rule=own),
        "says": PlayerConfig(("two",), ("heads",)),
    }
    run = RunConfig(steps=4, batch_size=ROWS, accumulate=accumulate, device="cpu")
    return build_players(step, shares, OptimConfig(clip_norm=3.0), run, rule)


def test_a_player_may_have_a_rule_of_its_own() -> None:
    one, other = (player.rule for player in players(None, PerRowConfig(), accumulate=2))
    assert isinstance(one, private.PerRow)
    assert other == AccumulateAndClip(2, 3.0)
    one, other = (p.rule for p in players(PerRowConfig(norm=2.0), PerRowConfig(norm=7.0)))
    assert (one.config.norm, other.config.norm) == (7.0, 2.0)


def test_accumulate_without_anybody_who_reads_it_is_refused() -> None:
    with pytest.raises(
        WeftError, match=r"run.accumulate is 2, expected 1: the gradient rule PerRow"
    ):
        players(PerRowConfig(), None, accumulate=2)
